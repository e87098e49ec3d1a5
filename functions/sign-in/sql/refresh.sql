-- Changes a refresh token for a new one. One that was used before tells of a thief or a lost answer: its session ends. So
-- does one that nobody used for too long, or whose account is active no more.
-- $1 who (nobody yet)   $2 hash of the token   $3 hash of the next
-- $4 not seen since, at home: too long ago   $5 the same at work
with token as materialized (
    -- Locked first: of two uses at once, the second waits here and then sees the first.
    select refresh_token.hash, refresh_token.used_at, session_id from refresh_token where hash = $2::text for update
), used as (
    update refresh_token set used_at = ($1::jsonb ->> 'at')::timestamptz
    from token join session on session.id = token.session_id join account on account.id = session.account_id
    where refresh_token.hash = token.hash and token.used_at is null
      and session.revoked_at is null and session.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and coalesce(session.last_seen_at, session.created_at) > case session.role when 'patient' then $4::text::timestamptz else $5::text::timestamptz end
      and account.state = 'active'
    returning session.id as session_id, session.account_id, session.role, session.level, session.membership_id
), seen as (
    update session set last_seen_at = ($1::jsonb ->> 'at')::timestamptz from used where session.id = used.session_id
), issued as (
    insert into refresh_token (hash, session_id, issued_at)
    select $3::text, session_id, ($1::jsonb ->> 'at')::timestamptz from used
), ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'refresh token used twice'
    from token
    where token.used_at is not null and session.id = token.session_id and session.revoked_at is null
    returning session.id, session.account_id
), recorded as (
    insert into trace
    select line.* from used, entry($1::jsonb || jsonb_build_object('account', used.account_id, 'session', used.session_id,
        'role', used.role, 'level', used.level, 'establishment', establishment_of(used.membership_id)), 'execute', 'session.refresh', used.session_id, null) as line
    union all
    select line.* from ended, entry($1::jsonb || jsonb_build_object('account', ended.account_id, 'session', ended.id),
        'execute', 'session.end.reuse', ended.id, null) as line
    union all
    select line.* from entry($1::jsonb || jsonb_build_object('session', (select session_id from token)),
        'execute', 'session.refresh', (select session_id from token), null, null, 'refused') as line
    where not exists (select from used)
)
select jsonb_build_object('account', account_id, 'session', session_id) from used
