-- Remembers an attempt, and leaves the trace of one that will link.
-- $1 who   $2 hash of the ticket   $3 provider   $4 until when
with started as (
    insert into openid_attempt (ticket, provider, account_id, session_id, started_at, expires_at)
    values ($2::text, $3::text, ($1::jsonb ->> 'account')::uuid, ($1::jsonb ->> 'session')::uuid,
            ($1::jsonb ->> 'at')::timestamptz, $4::text::timestamptz)
    returning account_id
), recorded as (
    insert into trace
    select line.* from started, entry($1::jsonb, 'execute', 'identity.link.ask', account_id, null) as line
    where account_id is not null
)
select jsonb_build_object('started', count(*)) from started
