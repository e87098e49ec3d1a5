-- The browsers of the actor's account, still sealed, and the trace of the reading.
-- $1 who
with mine as (
    select push_subscription.*, account.wrapped_key
    from push_subscription join account on account.id = push_subscription.account_id
    where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active'
), recorded as (
    insert into trace select line.* from entry($1::jsonb, 'read', 'push.list', null, null) as line
)
select jsonb_build_object(
    'id', id, 'account', account_id, 'wrapped_key', wrapped_key, 'sealed', sealed, 'created_at', created_at,
    'current', session_id = ($1::jsonb ->> 'session')::uuid)
from mine order by created_at, id
