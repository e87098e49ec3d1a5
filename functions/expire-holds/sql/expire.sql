-- Ends holds past their time; one with any row in other hands is left, whole, for the next tick.
-- $1 now   $2 how many at most   $3 who: the system
with due as (
    select id from appointment
    where status = 'held' and hold_expires_at <= $1::text::timestamptz
    order by hold_expires_at
    limit $2::int8
    for update skip locked
), mine as (
    select reservation.id, reservation.appointment_id from reservation join due on due.id = reservation.appointment_id
    where reservation.active
    for update of reservation skip locked
), whole as (
    select due.id from due
    where (select count(*) from reservation where reservation.appointment_id = due.id and reservation.active)
        = (select count(*) from mine where mine.appointment_id = due.id)
), expired as (
    update appointment set status = 'expired', version = version + 1
    from whole where appointment.id = whole.id
    returning appointment.id, appointment.patient_id
), freed as (
    update reservation set active = false from mine
    where reservation.id = mine.id and mine.appointment_id in (select id from whole)
), recorded as (
    insert into trace
    select line.* from expired,
        entry($3::jsonb, 'update', 'appointment.hold.expire', expired.id, expired.patient_id) as line
)
select jsonb_build_object('expired', count(*)) from expired
