-- Goes on in another session, of two factors, if the code is still good: only once. The one of one factor ends, so that no
-- token of it is worth more than it was. No row when the code is not good, or the session is one of two factors already.
-- $1 who   $2 {factor: {id, counter}, recovery (hash)}: one of them   $3 the next session   $4 hash of its refresh token
-- $5 ticket
with alive as (
    -- Held, so that of two at once the second burns no code for a session that has gone on already.
    select s.id from session s
    where s.id = ($1::jsonb ->> 'session')::uuid and s.account_id = ($1::jsonb ->> 'account')::uuid
      and s.level = 1 and s.revoked_at is null
    for update
), used as (
    update second_factor set counter = ($2::jsonb #>> '{factor,counter}')::int8, last_used_at = ($1::jsonb ->> 'at')::timestamptz
    where id = ($2::jsonb #>> '{factor,id}')::uuid and account_id = ($1::jsonb ->> 'account')::uuid
      and confirmed_at is not null and counter < ($2::jsonb #>> '{factor,counter}')::int8 and exists (select from alive)
    returning account_id
), spent as (
    update recovery_code set used_at = ($1::jsonb ->> 'at')::timestamptz
    where account_id = ($1::jsonb ->> 'account')::uuid and hash = $2::jsonb ->> 'recovery' and used_at is null
      and exists (select from alive)
    returning account_id
), former as (
    update session s set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'stepped up'
    where s.id = ($1::jsonb ->> 'session')::uuid and s.account_id = ($1::jsonb ->> 'account')::uuid
      and s.level = 1 and s.revoked_at is null and (exists (select from used) or exists (select from spent))
    returning s.*
), raised as (
    insert into session (id, account_id, created_at, last_seen_at, expires_at, role, membership_id, level, method, device, provider)
    select $3::uuid, account_id, created_at, ($1::jsonb ->> 'at')::timestamptz, expires_at, role, membership_id, 2,
           method || case when exists (select from used) then '+totp' else '+recovery' end, device, provider
    from former
    returning id, account_id
), taken_along as (
    -- The browser is the same. Before the former session's end is felt: triggers come last.
    update push_subscription set session_id = raised.id from raised
    where push_subscription.session_id = ($1::jsonb ->> 'session')::uuid
), issued as (
    insert into refresh_token (hash, session_id, issued_at)
    select $4::text, raised.id, ($1::jsonb ->> 'at')::timestamptz from raised
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'recovery-code-used'),
           ($1::jsonb ->> 'at')::timestamptz
    from spent
), recorded as (
    insert into trace
    select line.* from raised, entry($1::jsonb || '{"level": 2}', 'execute', 'session.step-up', raised.id, null) as line
    union all
    select line.* from spent, entry($1::jsonb, 'execute', 'recovery-code.use', spent.account_id, null) as line
)
select jsonb_build_object('id', raised.id, 'settled', settle_attempt($5::jsonb, false)) from raised
