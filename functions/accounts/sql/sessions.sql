-- The actor's sessions that still are ones, and the trace of the reading.
-- $1 who   $2 not used since, at home: too long ago   $3 the same at work
with mine as (
    select session.* from session
    where session.account_id = ($1::jsonb ->> 'account')::uuid and session.revoked_at is null
      and session.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and coalesce(session.last_seen_at, session.created_at)
          > case session.role when 'patient' then $2::text::timestamptz else $3::text::timestamptz end
    order by coalesce(session.last_seen_at, session.created_at) desc, session.id
    limit 100
), recorded as (
    insert into trace select line.* from entry($1::jsonb, 'read', 'session.list', null, null) as line
)
select jsonb_build_object(
    'id', id, 'device', device, 'method', method, 'role', role, 'created_at', created_at,
    'last_seen_at', coalesce(last_seen_at, created_at), 'current', id = ($1::jsonb ->> 'session')::uuid)
from mine
