-- An appointment the actor may change, as a change is decided on.
-- $1 actor   $2 appointment
select jsonb_build_object(
    'status', appointment.status, 'version', appointment.version, 'starts_at', appointment.starts_at,
    'practitioner', appointment.practitioner_id, 'patient', patient.id, 'wrapped_key', patient.wrapped_key,
    'late_notice_minutes', reason.late_notice_minutes)
from appointment
join guardianship on guardianship.patient_id = appointment.patient_id and guardianship.account_id = $1::uuid
join patient on patient.id = appointment.patient_id
join reason on reason.id = appointment.reason_id
where appointment.id = $2::uuid
