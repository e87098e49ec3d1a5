-- Forgets what was sent to partners.
-- $1 settled before   $2 how many at most
with past as (
    select id from webhook_delivery where settled_at < $1::text::timestamptz
    order by settled_at limit $2::int8
    for update skip locked
), purged as (
    delete from webhook_delivery using past where webhook_delivery.id = past.id returning 1
)
select jsonb_build_object('purged', count(*)) from purged
