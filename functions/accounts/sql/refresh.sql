-- Changes a refresh token for a new one. One that was used before tells of a thief or a lost answer: its session ends.
-- $1 hash of the token   $2 hash of the next   $3 now   $4 request
with token as materialized (
    -- Locked first: of two uses at once, the second waits here and then sees the first.
    select refresh_token.hash, refresh_token.used_at, session_id from refresh_token where hash = $1::text for update
), used as (
    update refresh_token set used_at = $3::text::timestamptz
    from token join session on session.id = token.session_id
    where refresh_token.hash = token.hash and token.used_at is null
      and session.revoked_at is null and session.expires_at > $3::text::timestamptz
    returning session.id as session_id, session.account_id
), issued as (
    insert into refresh_token (hash, session_id, issued_at) select $2::text, session_id, $3::text::timestamptz from used
), ended as (
    update session set revoked_at = $3::text::timestamptz, revoked_why = 'refresh token used twice'
    from token
    where token.used_at is not null and session.id = token.session_id and session.revoked_at is null
    returning session.id, session.account_id
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, request_id)
    select $3::text::timestamptz, 'account', account_id, 'execute', 'session.refresh', session_id, $4::text from used
    union all
    select $3::text::timestamptz, 'account', account_id, 'execute', 'session.end.reuse', id, $4::text from ended
)
select jsonb_build_object('account', account_id, 'session', session_id) from used
