-- Lets a browser be told of what concerns its account: at most so many of an account. The same address is the same browser:
-- again of the same account it changes nothing but its keys and name; of another, whoever is signed in there now has it.
-- `wish`: id (of account and address), endpoint_lookup, sealed. Returns {"outcome": "subscribed" | "too_many" | "ended",
-- "new": …, "created_at": …}.
create or replace function subscribe_push(who jsonb, wish jsonb, most bigint) returns jsonb language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    address constant text := wish ->> 'endpoint_lookup';
    since timestamptz;
begin
    -- One of an account at a time, so that many at once are counted.
    perform from account where id = me and state = 'active' for update;
    if not found then
        return jsonb_build_object('outcome', 'ended');
    end if;
    -- Whoever ends the session at this moment sees this row, or is seen.
    perform from session where id = (who ->> 'session')::uuid and account_id = me and revoked_at is null for share;
    if not found then
        return jsonb_build_object('outcome', 'ended');
    end if;
    select created_at into since from push_subscription where account_id = me and endpoint_lookup = address;
    if since is null and (select count(*) from push_subscription where account_id = me) >= most then
        return jsonb_build_object('outcome', 'too_many');
    end if;
    insert into push_subscription (id, account_id, session_id, endpoint_lookup, sealed, created_at)
    values ((wish ->> 'id')::uuid, me, (who ->> 'session')::uuid, address, wish ->> 'sealed', coalesce(since, now_at))
    on conflict on constraint push_subscription_endpoint do update
        set id = excluded.id, account_id = excluded.account_id, session_id = excluded.session_id, sealed = excluded.sealed,
            created_at = excluded.created_at;
    insert into trace select * from entry(who, 'create', 'push.subscribe', (wish ->> 'id')::uuid, null);
    return jsonb_build_object('outcome', 'subscribed', 'new', since is null, 'created_at', coalesce(since, now_at));
end $$;
