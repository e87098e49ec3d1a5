-- Opens a session with its first refresh token, if what it was opened with is still good: a code or a passkey's counter
-- only once, a recovery code only once. No row when it is not.
-- $1 who   $2 {account, session, hash, expires_at, role, membership, level, method, device, address (keyed hash),
--   factor: {id, counter, secret}, recovery (hash), password_hash (that the password matched), ticket (of the attempt)}
with wish as (
    select * from jsonb_to_record($2::jsonb) as wish (
        account uuid, session uuid, hash text, expires_at timestamptz, role text, membership uuid, level smallint,
        method text, device text, address text, factor jsonb, recovery text, password_hash text)
), used as (
    update second_factor set
        counter = (wish.factor ->> 'counter')::bigint, last_used_at = ($1::jsonb ->> 'at')::timestamptz,
        secret = coalesce(wish.factor ->> 'secret', second_factor.secret)
    from wish
    where second_factor.id = (wish.factor ->> 'id')::uuid and second_factor.account_id = wish.account
      and second_factor.confirmed_at is not null
      and (second_factor.counter < (wish.factor ->> 'counter')::bigint
           -- A passkey that is kept on several devices counts nothing.
           or (second_factor.kind = 'passkey' and second_factor.counter = 0 and (wish.factor ->> 'counter')::bigint = 0))
    returning second_factor.id
), spent as (
    update recovery_code set used_at = ($1::jsonb ->> 'at')::timestamptz
    from wish
    where recovery_code.account_id = wish.account and recovery_code.hash = wish.recovery and recovery_code.used_at is null
    returning recovery_code.account_id
), mine as (
    -- Locked, so that whoever changes the password at this moment sees this session and ends it, or is seen.
    select account.id from wish join account on account.id = wish.account
    where account.state = 'active' and (wish.password_hash is null or account.password_hash = wish.password_hash)
    for share of account
), opened as (
    insert into session (id, account_id, created_at, last_seen_at, expires_at, role, membership_id, level, method, device)
    select wish.session, wish.account, ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'at')::timestamptz, wish.expires_at,
           wish.role, wish.membership, wish.level, wish.method, wish.device
    from wish join mine on mine.id = wish.account
    where (wish.factor is null or exists (select from used)) and (wish.recovery is null or exists (select from spent))
    returning id, account_id, role, level, membership_id
), issued as (
    insert into refresh_token (hash, session_id, issued_at)
    select wish.hash, opened.id, ($1::jsonb ->> 'at')::timestamptz from opened, wish
), met as (
    insert into known_address (account_id, address, last_at)
    select opened.account_id, wish.address, ($1::jsonb ->> 'at')::timestamptz from opened, wish where wish.address is not null
    on conflict on constraint known_address_pkey do update set last_at = excluded.last_at
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', opened.account_id, jsonb_build_object('account', opened.account_id, 'what', 'recovery-code-used'),
           ($1::jsonb ->> 'at')::timestamptz
    from opened, spent
), recorded as (
    insert into trace
    select line.* from opened, entry($1::jsonb || jsonb_build_object('account', opened.account_id, 'session', opened.id,
        'role', opened.role, 'level', opened.level, 'establishment', establishment_of(opened.membership_id)),
        'execute', 'session.open', opened.id, null) as line
    union all
    select line.* from opened, spent, entry($1::jsonb || jsonb_build_object('account', opened.account_id, 'session', opened.id,
        'role', opened.role, 'level', opened.level), 'execute', 'recovery-code.use', spent.account_id, null) as line
)
select jsonb_build_object('id', opened.id, 'settled', settle_attempt(coalesce(nullif($2::jsonb -> 'ticket', 'null'), '[]'), false)) from opened
