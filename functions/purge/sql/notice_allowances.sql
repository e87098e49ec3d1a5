-- Forgets how many notices somebody was sent on days that are past.
-- $1 before the day of   $2 how many at most
with past as (
    select recipient_id, day, owed from notice_allowance
    where day < ($1::text::timestamptz at time zone 'UTC')::date
    order by day limit $2::int8
    for update skip locked
), purged as (
    delete from notice_allowance a using past
    where a.recipient_id = past.recipient_id and a.day = past.day and a.owed = past.owed
    returning 1
)
select jsonb_build_object('purged', count(*)) from purged
