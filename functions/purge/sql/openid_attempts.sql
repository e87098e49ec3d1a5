-- Forgets attempts to sign in with a provider that nobody ended. They name the session that began them: they go first.
-- $1 over before   $2 how many at most
with past as (
    select ticket from openid_attempt where expires_at < $1::text::timestamptz
    order by expires_at limit $2::int8 for update skip locked
), purged as (
    delete from openid_attempt using past where openid_attempt.ticket = past.ticket returning 1
)
select jsonb_build_object('purged', count(*)) from purged
