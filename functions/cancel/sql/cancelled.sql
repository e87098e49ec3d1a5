-- An appointment of the actor's that is cancelled already.
-- $1 who   $2 appointment
with found as (
    select appointment.* from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid and appointment.status = 'cancelled'
      and may($1::jsonb, 'appointment', 'delete', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
), recorded as (
    insert into trace select line.* from found, entry($1::jsonb, 'read', 'appointment.read', found.id, found.patient_id) as line
)
select appointment_document(found::appointment) from found
