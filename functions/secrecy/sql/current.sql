-- A visit whose secrecy the actor may decide on.
-- $1 who   $2 appointment
select jsonb_build_object('version', appointment.version, 'of_age', coalesce(patient.adult_from <= ($1::jsonb ->> 'at')::timestamptz, false),
                          'secret', appointment.secret_since is not null,
                          'appointment', appointment_document(appointment))
from appointment join site on site.id = appointment.site_id join patient on patient.id = appointment.patient_id
where appointment.id = $2::uuid
  and may($1::jsonb, 'secrecy', 'update', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
