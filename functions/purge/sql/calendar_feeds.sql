-- Forgets addresses of calendars that were revoked long ago.
-- $1 revoked before   $2 how many at most
with past as (
    select id from calendar_feed where revoked_at < $1::text::timestamptz
    order by revoked_at limit $2::int8 for update skip locked
), purged as (
    delete from calendar_feed using past where calendar_feed.id = past.id returning 1
)
select jsonb_build_object('purged', count(*)) from purged
