-- The actor's live feeds in the capacity of the session, and the trace of the reading.
-- $1 who
with me as (
    select account.id, account.wrapped_key, coalesce(s.membership_id, account.id) as capacity_id
    from session s join account on account.id = s.account_id
    where s.id = ($1::jsonb ->> 'session')::uuid and account.id = ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'calendar-feed', 'read', null, null, null)
), recorded as (
    insert into trace select line.* from me, entry($1::jsonb, 'read', 'calendar-feed.list', me.id, null) as line
)
select jsonb_build_object('wrapped_key', me.wrapped_key, 'feeds', (
    select coalesce(jsonb_agg(calendar_feed_document(f) order by f.created_at, f.id), '[]')
    from calendar_feed f where f.capacity_id = me.capacity_id and f.revoked_at is null))
from me
