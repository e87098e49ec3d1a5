-- Remembers an attempt, and forgets some that are over.
-- $1 who   $2 hash of the ticket   $3 provider   $4 until when
with over as (
    select ticket from openid_attempt where expires_at < ($1::jsonb ->> 'at')::timestamptz
    order by expires_at limit 100 for update skip locked
), forgotten as (
    delete from openid_attempt using over where openid_attempt.ticket = over.ticket
), started as (
    insert into openid_attempt (ticket, provider, account_id, session_id, started_at, expires_at)
    values ($2::text, $3::text, ($1::jsonb ->> 'account')::uuid, ($1::jsonb ->> 'session')::uuid,
            ($1::jsonb ->> 'at')::timestamptz, $4::text::timestamptz)
    returning 1
)
select jsonb_build_object('started', count(*)) from started
