-- Forgets what was leased in windows that are past.
-- $1 begun before   $2 how many at most
with past as (
    select key from rate_window
    where began < floor(extract(epoch from $1::text::timestamptz) / 60)
    limit $2::int8
    for update skip locked
), purged as (
    delete from rate_window using past where rate_window.key = past.key returning 1
)
select jsonb_build_object('purged', count(*)) from purged
