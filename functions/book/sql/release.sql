-- Lets go a hold that the actor made and may still call off; one that has ended already is left as it is. As a cancellation,
-- it locks its appointment, retires rows and places none.
-- $1 who   $2 the hold
with mine as (
    select appointment.id from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid and appointment.status in ('held', 'expired')
      and appointment.booked_by = ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'appointment', 'delete', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
), released as (
    update appointment set status = 'expired', version = version + 1
    from mine where appointment.id = mine.id and appointment.status = 'held'
    returning appointment.id, appointment.patient_id
), freed as (
    update reservation set active = false from released
    where reservation.appointment_id = released.id and reservation.active
), recorded as (
    insert into trace
    select line.* from released,
        entry($1::jsonb, 'update', 'appointment.hold.release', released.id, released.patient_id) as line
)
select jsonb_build_object('id', id) from mine
