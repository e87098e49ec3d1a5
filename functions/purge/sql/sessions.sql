-- Forgets sessions that ended long ago, by themselves or by somebody, with their refresh tokens. The audit trail keeps who
-- did what in them.
-- $1 ended before   $2 how many at most
with past as (
    select id from session
    where least(expires_at, revoked_at) < $1::text::timestamptz
    order by least(expires_at, revoked_at) limit $2::int8
    for update skip locked
), tokens as (
    delete from refresh_token using past where refresh_token.session_id = past.id
), purged as (
    delete from session using past where session.id = past.id returning 1
)
select jsonb_build_object('purged', count(*)) from purged
