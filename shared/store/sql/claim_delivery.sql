-- Takes a lease on what is due. Nobody else touches it until then; a killed holder is survived.
-- $1 lease   $2 now   $3 lease until   $4 how many at most
with due as (
    select id from delivery
    where state = 'waiting' and next_attempt_at <= $2::text::timestamptz
      and (lease_until is null or lease_until <= $2::text::timestamptz)
    order by next_attempt_at
    limit $4::int8
    for update skip locked
), claimed as (
    update delivery set lease = $1::uuid, lease_until = $3::text::timestamptz, attempts = attempts + 1,
        first_attempt_at = coalesce(first_attempt_at, $2::text::timestamptz)
    from due where delivery.id = due.id
    returning delivery.id, delivery.event_id, delivery.consumer, delivery.attempts, delivery.first_attempt_at
)
select jsonb_build_object('id', claimed.id, 'consumer', claimed.consumer, 'attempts', claimed.attempts, 'first_attempt_at', claimed.first_attempt_at,
    'event', jsonb_build_object('specversion', '1.0', 'id', outbox.id, 'source', '/carnet', 'type', outbox.kind,
        'subject', outbox.subject, 'time', outbox.occurred_at, 'datacontenttype', 'application/json', 'data', outbox.data))
from claimed join outbox on outbox.id = claimed.event_id
order by outbox.seq
