-- Takes a lease on what is due: of each open address a few at once, of one that fails or is slow a single one, and of one thing
-- its oldest event alone. First everybody's first, then everybody's second: nobody's backlog keeps another waiting. What happens
-- now goes before what is sent again. What is locked is somebody else's. A document that is not to be seen any more is given up.
-- $1 lease   $2 now   $3 lease until   $4 how many at most   $5 how many at once of one address
with open as (
    select w.id, leased.under_way, case when w.failures > 0 or w.slow then 1 else $5::int8 end - leased.under_way as places
    from webhook w cross join lateral (
        select count(*) as under_way from webhook_delivery d
        where d.webhook_id = w.id and d.state = 'waiting' and d.lease is not null and d.lease_until > $2::text::timestamptz) leased
    where w.state = 'active' and (w.resting_until is null or w.resting_until <= $2::text::timestamptz)
), due as (
    select candidate.id from open cross join lateral (
        select next.*, open.under_way + row_number() over (order by next.again, next.next_attempt_at, next.ordinal) as turn
        from (
            -- Each of the two in the order of an index, which one order of both would not be.
            select kind.again, first.* from (values (false), (true)) as kind (again) cross join lateral (
                select d.id, d.next_attempt_at, d.ordinal from webhook_delivery d
                where d.webhook_id = open.id and d.state = 'waiting' and (d.replays > 0) = kind.again
                  and d.next_attempt_at <= $2::text::timestamptz
                  and (d.lease_until is null or d.lease_until <= $2::text::timestamptz)
                  -- Asked for each, and of an index: as a join it would read all that waits, whenever statistics are old. As a case,
                  -- since of an equation the planner expects that hardly any row passes, and then reads and sorts all that is due.
                  and case d.ordinal when (select min(before.ordinal) from webhook_delivery before
                      where before.webhook_id = d.webhook_id and before.subject = d.subject and before.state = 'waiting') then true end
                order by d.next_attempt_at, d.ordinal
                limit greatest(open.places, 0)
            ) first
            order by kind.again, first.next_attempt_at, first.ordinal
            limit greatest(open.places, 0)
        ) next
    ) candidate
    order by candidate.turn, candidate.again, candidate.next_attempt_at, candidate.ordinal
    limit $4::int8
), mine as (
    select d.id, webhook_tellable(d.kind, d.subject) as tellable from webhook_delivery d
    where d.id = any (array(select due.id from due)) and d.state = 'waiting' and d.next_attempt_at <= $2::text::timestamptz
      and (d.lease_until is null or d.lease_until <= $2::text::timestamptz)
    for update of d skip locked
), withheld as (
    update webhook_delivery d set state = 'expired', settled_at = $2::text::timestamptz, lease = null, lease_until = null
    from mine where d.id = mine.id and not mine.tellable
), claimed as (
    update webhook_delivery d set lease = $1::uuid, lease_until = $3::text::timestamptz, attempts = d.attempts + 1
    from mine where d.id = mine.id and mine.tellable
    returning d.*
)
select jsonb_build_object(
    'id', claimed.id, 'kind', claimed.kind, 'occurred_at', claimed.occurred_at, 'data', claimed.data,
    'attempts', claimed.attempts, 'expires_at', claimed.expires_at,
    'webhook', jsonb_build_object('id', w.id, 'url', w.url, 'wrapped_key', w.wrapped_key, 'secret', w.secret,
        'former_secrets', webhook_former_secrets(w, $2::text::timestamptz)))
from claimed join webhook w on w.id = claimed.webhook_id
