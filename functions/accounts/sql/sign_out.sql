-- Ends the session: its refresh tokens are worth nothing from now on.
-- $1 actor   $2 session   $3 now   $4 request
with ended as (
    update session set revoked_at = $3::text::timestamptz, revoked_why = 'signed out'
    where id = $2::uuid and account_id = $1::uuid and revoked_at is null
    returning id
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, request_id)
    select $3::text::timestamptz, 'account', $1::uuid, 'execute', 'session.end', id, $4::text from ended
)
select jsonb_build_object('ended', count(*)) from ended
