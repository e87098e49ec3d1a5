-- What an operator must look at, newest first.
-- $1 how many at most
select jsonb_build_object('id', delivery.id, 'consumer', delivery.consumer, 'attempts', delivery.attempts,
    'last_error', delivery.last_error, 'died_at', delivery.settled_at, 'event', outbox.id, 'type', outbox.kind,
    'subject', outbox.subject, 'occurred_at', outbox.occurred_at)
from delivery join outbox on outbox.id = delivery.event_id
where delivery.state = 'dead'
order by delivery.id desc
limit $1::int8
