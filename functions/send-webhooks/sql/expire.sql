-- Gives up what has waited too long for an address that is paused or not verified: failed, if it was tried since it was planned
-- or asked for again. (The count of tries begins anew when an address is opened again.)
-- $1 now   $2 how many at most   $3 how long it is tried, in seconds
with over as (
    select d.id from webhook_delivery d join webhook w on w.id = d.webhook_id
    where d.state = 'waiting' and d.expires_at <= $1::text::timestamptz and w.state <> 'active'
      and (d.lease_until is null or d.lease_until <= $1::text::timestamptz)
    order by d.expires_at limit $2::int8
    for update of d skip locked
), expired as (
    update webhook_delivery d set
        state = case when d.attempts > 0
                       or (d.log -> -1 ->> 'at')::timestamptz >= d.expires_at - make_interval(secs => $3::int8)
                     then 'failed' else 'expired' end,
        settled_at = $1::text::timestamptz, lease = null, lease_until = null
    from over where d.id = over.id
    returning 1
)
select jsonb_build_object('expired', count(*)) from expired
