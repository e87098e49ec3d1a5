-- Ends the session: its refresh tokens are worth nothing from now on, and its access tokens from the next request on.
-- $1 who
with ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'signed out'
    where id = ($1::jsonb ->> 'session')::uuid and account_id = ($1::jsonb ->> 'account')::uuid and revoked_at is null
    returning id
), recorded as (
    insert into trace select line.* from ended, entry($1::jsonb, 'execute', 'session.end', ended.id, null) as line
)
select jsonb_build_object('ended', count(*)) from ended
