-- An appointment the actor may change in that way, as a change is decided on.
-- $1 who   $2 appointment   $3 action: 'update' or 'delete'
select jsonb_build_object(
    'status', appointment.status, 'version', appointment.version, 'starts_at', appointment.starts_at,
    'ends_at', appointment.ends_at,
    'practitioner', appointment.practitioner_id, 'site', appointment.site_id, 'reason', appointment.reason_id, 'patient', patient.id, 'wrapped_key', patient.wrapped_key,
    'late_notice_minutes', reason.late_notice_minutes)
from appointment
join site on site.id = appointment.site_id
join patient on patient.id = appointment.patient_id
join reason on reason.id = appointment.reason_id
where appointment.id = $2::uuid
  and may($1::jsonb, 'appointment', $3::text, appointment.patient_id, appointment.practitioner_id, site.establishment_id)
  and not hidden($1::jsonb, appointment)
