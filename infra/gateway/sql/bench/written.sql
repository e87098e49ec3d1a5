-- $1 accounts. What a run wrote: [appointments, reservations, outbox rows, audit rows, spent keys].
with a as materialized (select id from appointment where booked_by = any ($1::uuid[]) and status = 'booked')
select array[
    (select count(*) from a),
    (select count(*) from reservation join a on a.id = appointment_id where active),
    (select count(*) from outbox join a on a.id = subject where kind = 'appointment.booked.v1'),
    (select count(*) from audit join a on a.id = object_id where event = 'appointment.book'),
    (select count(*) from idempotency where account_id = any ($1::uuid[]))]
