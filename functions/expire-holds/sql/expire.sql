-- Ends holds past their time; rows in other hands are skipped.
-- $1 now   $2 how many at most
with due as (
    select id from appointment
    where status = 'held' and hold_expires_at <= $1::text::timestamptz
    order by hold_expires_at
    limit $2::int8
    for update skip locked
), expired as (
    update appointment set status = 'expired', version = version + 1
    from due where appointment.id = due.id
    returning appointment.id, appointment.patient_id
), mine as (
    select reservation.id from reservation join expired on expired.id = reservation.appointment_id
    where reservation.active
    for update of reservation skip locked
), freed as (
    update reservation set active = false from mine where reservation.id = mine.id
), recorded as (
    insert into audit (at, actor_kind, action, event, object_id, patient_id)
    select $1::text::timestamptz, 'system', 'update', 'appointment.hold.expire', id, patient_id from expired
)
select jsonb_build_object('expired', count(*)) from expired
