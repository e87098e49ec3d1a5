-- Opens a session with its first refresh token.
-- $1 who   $2 {account, session, hash, expires_at, role, membership, level, method, device}
with opened as (
    insert into session (id, account_id, created_at, last_seen_at, expires_at, role, membership_id, level, method, device)
    select wish.session, wish.account, ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'at')::timestamptz, wish.expires_at,
           wish.role, wish.membership, wish.level, wish.method, wish.device
    from jsonb_to_record($2::jsonb) as wish (
        account uuid, session uuid, expires_at timestamptz, role text, membership uuid, level smallint, method text, device text)
    returning id, account_id, role, level
), issued as (
    insert into refresh_token (hash, session_id, issued_at)
    select $2::jsonb ->> 'hash', id, ($1::jsonb ->> 'at')::timestamptz from opened
), recorded as (
    insert into trace
    select line.* from opened, entry($1::jsonb || jsonb_build_object('account', opened.account_id, 'session', opened.id,
        'role', opened.role, 'level', opened.level), 'execute', 'session.open', opened.id, null) as line
)
select jsonb_build_object('id', id) from opened
