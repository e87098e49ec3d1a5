-- Opens a session for an identity that a provider vouched for, in one statement: the attempt is used up, the identity is
-- found, linked or given an account, the capacity is chosen, and all of it leaves its trace.

-- In what an account may act under an RPPS: its memberships as that very person of the directory; none while suspended.
create or replace function capacities_as(of_account uuid, professional uuid, at timestamptz) returns jsonb
language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_object('membership', m.id, 'role', m.role, 'establishment', e.id,
                                                 'name', e.name, 'finess', e.finess) order by m.since, m.id), '[]')
    from membership m join establishment e on e.id = m.establishment_id
    where m.account_id = of_account and m.practitioner_id = professional and not suspended(of_account) and m.since <= at and (m.until is null or m.until > at)
$$;

-- The one account that acts as this person of the directory already: an operator has let it. None when there are several.
create or replace function account_of_professional(professional uuid, at timestamptz) returns uuid language sql stable as $$
    select case when count(distinct account_id) = 1 then (array_agg(account_id))[1] end
    from membership
    where practitioner_id = professional and role = 'practitioner' and since <= at and (until is null or until > at)
$$;

-- A new account, with its own patient file when the provider says enough for one. No password: a random one that nobody knows.
create or replace function open_account_with(who jsonb, wish jsonb) returns uuid language plpgsql as $$
declare
    account constant uuid := (wish ->> 'account')::uuid;
    file constant uuid := (wish ->> 'patient')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
begin
    insert into account (id, wrapped_key, contact, email_lookup, password_hash, language, created_at)
    values (account, wish ->> 'account_key', wish ->> 'contact', wish ->> 'email_lookup', wish ->> 'password_hash',
            wish ->> 'language', now_at);
    if file is not null then
        insert into resource (id, kind) values (file, 'patient');
        insert into patient (id, wrapped_key, identity, twin_lookup, private_from, adult_from, created_at)
        values (file, wish ->> 'patient_key', wish ->> 'identity', wish ->> 'twin_lookup',
                (wish ->> 'private_from')::timestamptz, (wish ->> 'adult_from')::timestamptz, now_at);
        insert into guardianship (account_id, patient_id, relation, since) values (account, file, 'self', now_at);
    end if;
    insert into trace select * from entry(who || jsonb_build_object('account', account), 'create', 'account.open', account, file);
    return account;
end $$;

-- `wish` holds: ticket, provider, method, subject, its keyed hash subject_lookup, rpps, session, hash, expires_at, level, device and, for a new account: account,
-- account_key, contact, email_lookup, password_hash, language, patient, patient_key, identity, twin_lookup, private_from,
-- adult_from. The answer holds `refused` with a word, or the session. The address is only claimed, as by a sign-up: it links to
-- nothing and tells nothing.
create or replace function sign_in_with(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    event constant text := 'session.open.' || (wish ->> 'method');
    attempt openid_attempt;
    known external_identity;
    professional uuid;
    me uuid;
    refused text;
    capacities jsonb;
    chosen jsonb;
    linked boolean := false;
    opened boolean := false;
begin
    -- Used once: of two answers at once the second waits here and finds nothing.
    delete from openid_attempt
    where ticket = wish ->> 'ticket' and provider = wish ->> 'provider' and expires_at > now_at
    returning * into attempt;
    if not found then
        insert into trace select * from entry(who, 'execute', event, null, null, null, 'refused');
        return jsonb_build_object('refused', 'attempt');
    end if;

    -- One identity at a time: two first sign-ins at once open one account.
    perform pg_advisory_xact_lock(hashtextextended((wish ->> 'provider') || ' ' || (wish ->> 'subject_lookup'), 2));
    -- As an earlier release kept it.
    update external_identity set subject_lookup = wish ->> 'subject_lookup', subject = null
    where provider = wish ->> 'provider' and subject = wish ->> 'subject';
    select * into known from external_identity
    where provider = wish ->> 'provider' and subject_lookup = wish ->> 'subject_lookup';
    select id into professional from practitioner where rpps = wish ->> 'rpps';
    me := coalesce(attempt.account_id, known.account_id, account_of_professional(professional, now_at));

    if me is null and wish ->> 'password_hash' is null then
        refused := 'incomplete';
    elsif me is not null and not exists (select from account where id = me and state = 'active') then
        refused := 'account-state';
    elsif attempt.session_id is not null and not exists (
        select from session where id = attempt.session_id and revoked_at is null and expires_at > now_at) then
        refused := 'session-ended';
    elsif exists (select from session where id = attempt.session_id and level = 1)
        and jsonb_array_length(capacities_as(me, professional, now_at)) = 0
        and (exists (select from account where id = me and platform_role is not null)
             or exists (select from membership where account_id = me and (until is null or until > now_at))) then
        -- Who works here and came with one factor may add the identity of that very professional, as a second factor, and no
        -- other: else whoever has the password would have a way in for good.
        refused := 'level';
    elsif known.account_id <> me or exists (
        select from external_identity
        where account_id = me and provider = wish ->> 'provider' and subject_lookup is distinct from wish ->> 'subject_lookup') then
        refused := 'linked';
    end if;
    if refused is not null then
        insert into trace select * from entry(
            who || jsonb_build_object('account', me), 'execute', event, me, null, null, 'refused');
        return jsonb_build_object('refused', refused);
    end if;

    if me is null then
        me := open_account_with(who, wish);
        opened := true;
    end if;
    linked := known.account_id is null;
    insert into external_identity (provider, subject_lookup, account_id, practitioner_id, linked_at, used_at)
    values (wish ->> 'provider', wish ->> 'subject_lookup', me, professional, now_at, now_at)
    on conflict on constraint external_identity_subject_key do update
        set practitioner_id = excluded.practitioner_id, used_at = excluded.used_at;

    -- The only capacity, or for the time being none beyond a patient's.
    capacities := capacities_as(me, professional, now_at);
    chosen := case when jsonb_array_length(capacities) = 1 then capacities -> 0 end;
    insert into session (id, account_id, created_at, last_seen_at, expires_at, role, membership_id, level, method, provider, device)
    values ((wish ->> 'session')::uuid, me, now_at, now_at, (wish ->> 'expires_at')::timestamptz,
            coalesce(chosen ->> 'role', 'patient'), (chosen ->> 'membership')::uuid, (wish ->> 'level')::smallint,
            wish ->> 'method', wish ->> 'provider', coalesce(wish ->> 'device', ''));
    insert into refresh_token (hash, session_id, issued_at) values (wish ->> 'hash', (wish ->> 'session')::uuid, now_at);

    who := who || jsonb_build_object('account', me, 'session', wish ->> 'session', 'level', wish -> 'level',
        'role', coalesce(chosen ->> 'role', 'patient'), 'establishment', chosen ->> 'establishment');
    if linked then
        insert into trace select * from entry(who, 'create', 'identity.link', me, null);
    end if;
    if linked and not opened then
        insert into outbox (kind, subject, data, occurred_at)
        values ('account.secured.v1', me, jsonb_build_object('account', me, 'what', 'identity-linked'), now_at);
    end if;
    insert into trace select * from entry(who, 'execute', event, (wish ->> 'session')::uuid, null);
    return jsonb_build_object('account', me, 'role', coalesce(chosen ->> 'role', 'patient'),
        'establishment', chosen ->> 'establishment', 'capacities', capacities, 'in_directory', professional is not null,
        'opened', opened, 'linked', linked);
end $$;
