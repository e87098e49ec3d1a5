-- A visit whose secrecy the actor may decide on; the trace of a reading where it is as they want it already.
-- $1 who   $2 appointment   $3 secret or not
with found as (
    select appointment.* from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid
      and may($1::jsonb, 'secrecy', 'update', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
), recorded as (
    insert into trace select line.* from found, entry($1::jsonb, 'read', 'appointment.read', found.id, found.patient_id) as line
    where (found.secret_since is not null) = $3::bool
)
select jsonb_build_object('version', found.version, 'of_age', coalesce(patient.adult_from <= ($1::jsonb ->> 'at')::timestamptz, false),
                          'secret', found.secret_since is not null, 'appointment', appointment_document(found::appointment))
from found join patient on patient.id = found.patient_id
