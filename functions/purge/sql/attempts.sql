-- Forgets attempts whose window is past.
-- $1 ended before   $2 how many at most
with past as (
    select key from attempt
    where ends_at < $1::text::timestamptz
    order by ends_at limit $2::int8
    for update skip locked
), purged as (
    delete from attempt using past where attempt.key = past.key returning 1
)
select jsonb_build_object('purged', count(*)) from purged
