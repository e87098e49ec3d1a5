-- Takes a lease on what is due: of each open address a few at once, of one that fails a single one, and of one thing its oldest
-- event alone. What is locked is somebody else's.
-- $1 lease   $2 now   $3 lease until   $4 how many at most   $5 how many at once of one address
with open as (
    select w.id, case when w.failures > 0 then 1 else $5::int8 end - (
        select count(*) from webhook_delivery leased
        where leased.webhook_id = w.id and leased.state = 'waiting' and leased.lease is not null
          and leased.lease_until > $2::text::timestamptz) as places
    from webhook w
    where w.state = 'active' and (w.resting_until is null or w.resting_until <= $2::text::timestamptz)
), due as (
    select candidate.id from open cross join lateral (
        select d.id, d.next_attempt_at, d.ordinal from webhook_delivery d
        where d.webhook_id = open.id and d.state = 'waiting' and d.next_attempt_at <= $2::text::timestamptz
          and (d.lease_until is null or d.lease_until <= $2::text::timestamptz)
          -- Asked for each, and of an index: as a join it would read all that waits, whenever statistics are old.
          and d.ordinal = (select min(first.ordinal) from webhook_delivery first
              where first.webhook_id = d.webhook_id and first.subject = d.subject and first.state = 'waiting')
        order by d.next_attempt_at, d.ordinal
        limit greatest(open.places, 0)
    ) candidate
    order by candidate.next_attempt_at, candidate.ordinal
    limit $4::int8
), mine as (
    select d.id from webhook_delivery d
    where d.id = any (array(select due.id from due)) and d.state = 'waiting' and (d.lease_until is null or d.lease_until <= $2::text::timestamptz)
    for update of d skip locked
), claimed as (
    update webhook_delivery d set lease = $1::uuid, lease_until = $3::text::timestamptz, attempts = d.attempts + 1
    from mine where d.id = mine.id
    returning d.*
)
select jsonb_build_object(
    'id', claimed.id, 'kind', claimed.kind, 'occurred_at', claimed.occurred_at, 'data', claimed.data,
    'attempts', claimed.attempts, 'expires_at', claimed.expires_at,
    'webhook', jsonb_build_object('id', w.id, 'url', w.url, 'wrapped_key', w.wrapped_key, 'secret', w.secret,
        'former_secret', case when w.former_until > $2::text::timestamptz then w.former_secret end))
from claimed join webhook w on w.id = claimed.webhook_id
