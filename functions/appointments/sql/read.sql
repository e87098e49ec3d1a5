-- One appointment, and the trace of its reading.
-- $1 actor   $2 appointment   $3 now   $4 request
with seen as (
    select appointment.* from appointment
    join guardianship on guardianship.patient_id = appointment.patient_id and guardianship.account_id = $1::uuid
    where appointment.id = $2::uuid
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
    select $3::text::timestamptz, 'account', $1::uuid, 'read', 'appointment.read', id, patient_id, $4::text from seen
)
select appointment_document(seen::appointment) from seen
