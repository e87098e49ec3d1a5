-- Opens a session with its first refresh token.
-- $1 account   $2 session   $3 hash of the token   $4 expires   $5 now   $6 request
with opened as (
    insert into session (id, account_id, created_at, expires_at)
    values ($2::uuid, $1::uuid, $5::text::timestamptz, $4::text::timestamptz)
    returning id
), issued as (
    insert into refresh_token (hash, session_id, issued_at) select $3::text, id, $5::text::timestamptz from opened
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, request_id)
    select $5::text::timestamptz, 'account', $1::uuid, 'execute', 'session.open', id, $6::text from opened
)
select jsonb_build_object('id', id) from opened
