-- In what capacities an account may act at an instant, beside as a patient.
create or replace function capacities(of_account uuid, at timestamptz) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_object('role', c.role, 'membership', c.id, 'establishment', c.establishment_id)
                              order by c.since, c.id), '[]')
    from (
        select role, id, establishment_id, since from membership
        where account_id = of_account and not suspended(of_account) and since <= at and (until is null or until > at)
        union all
        select platform_role, null, null, created_at from account where id = of_account and platform_role is not null
    ) c
$$;

-- Where a membership is; none without one.
create or replace function establishment_of(membership uuid) returns uuid language sql stable as $$
    select establishment_id from membership m where m.id = membership
$$;

-- Ends an account's sessions, but for one that may stay. Called with the account's row locked, as whoever changes it has it:
-- a sign-in under way, which holds that row too, is seen by now or finds the row changed. The account may have been in other hands:
-- addresses of its calendars, which whoever had it may have made, end as well, whichever session stays.
create or replace function end_sessions(of_account uuid, at timestamptz, why text, but uuid default null) returns bigint
language plpgsql as $$
declare
    ended bigint;
begin
    update session set revoked_at = at, revoked_why = why
    where account_id = of_account and revoked_at is null and id is distinct from but;
    get diagnostics ended = row_count;
    update calendar_feed set revoked_at = at, label = null where account_id = of_account and revoked_at is null;
    return ended;
end $$;

-- What follows when the actor has another second factor: recovery codes with the first one, a letter, and a session that has
-- shown two factors by now. Returns whether the codes were kept.
create or replace function factor_added(who jsonb, factor uuid, kind text, codes text[]) returns boolean language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    first boolean := false;
begin
    if not exists (select from recovery_code where account_id = me and used_at is null) then
        insert into recovery_code (account_id, hash, created_at) select me, hash, now_at from unnest(codes) as code (hash);
        first := true;
    end if;
    update session s set level = 2, method = s.method || '+' || kind
    where s.id = (who ->> 'session')::uuid and s.account_id = me and s.level = 1;
    insert into outbox (kind, subject, data, occurred_at)
    values ('account.secured.v1', me, jsonb_build_object('account', me, 'what', 'second-factor-added'), now_at);
    insert into trace select * from entry(who, 'create', 'second-factor.add', factor, null);
    return first;
end $$;

-- Takes away all second factors and recovery codes of who has lost them, and ends their sessions: of an account, or of the one
-- that has shown the address to be its own. Nobody does that for themself.
-- Returns {"known": …, "removed": how many factors}.
create or replace function reset_factors(who jsonb, of_account uuid, lookup text, evidence text) returns jsonb
language plpgsql as $$
declare
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    whose uuid;
    removed bigint;
begin
    select id into whose from account
    where state = 'active' and (id = of_account or (email_lookup = lookup and email_verified_at is not null))
      and id <> (who ->> 'account')::uuid and may(who, 'second-factor', 'delete', null, null, null)
    -- As whoever signs in holds it: see end_sessions.
    for update;
    if not found then
        insert into trace select * from entry(who, 'delete', 'second-factor.reset.' || evidence, of_account, null, null, 'refused');
        return jsonb_build_object('known', false, 'removed', 0);
    end if;
    delete from second_factor where account_id = whose and confirmed_at is not null;
    get diagnostics removed = row_count;
    delete from second_factor where account_id = whose;
    delete from recovery_code where account_id = whose;
    delete from passkey_ceremony where account_id = whose;
    insert into trace select * from entry(who, 'delete', 'second-factor.reset.' || evidence, whose, null);
    if removed > 0 then
        perform end_sessions(whose, now_at, 'second factors reset');
        insert into outbox (kind, subject, data, occurred_at)
        values ('account.secured.v1', whose, jsonb_build_object('account', whose, 'what', 'second-factors-reset'), now_at);
    end if;
    return jsonb_build_object('known', true, 'removed', removed);
end $$;

-- Whether an account only claims an address that another one has shown to be its own.
-- Not in SQL: its query would be planned again at each call out of another function.
create or replace function of_another(a account) returns boolean language plpgsql stable as $$
begin
    return a.email_verified_at is null and exists (
        select from account other
        where other.email_lookup = a.email_lookup and other.email_verified_at is not null and other.state <> 'closed');
end $$;
