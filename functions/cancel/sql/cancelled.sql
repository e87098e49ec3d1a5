-- An appointment of the actor's that is cancelled already.
-- $1 who   $2 appointment
select appointment_document(appointment)
from appointment join site on site.id = appointment.site_id
where appointment.id = $2::uuid and appointment.status = 'cancelled'
  and may($1::jsonb, 'appointment', 'delete', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
  and not hidden($1::jsonb, appointment)
