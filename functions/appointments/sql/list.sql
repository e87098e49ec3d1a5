-- The appointments of the actor's patients, by start, and a trace of the reading for each patient seen.
-- $1 actor   $2 patient   $3 practitioner   $4 from   $5 until   $6 status   $7 how many   $8 after: start  $9 after: id
-- $10 now   $11 request
with seen as (
    select appointment.* from appointment
    join guardianship on guardianship.patient_id = appointment.patient_id and guardianship.account_id = $1::uuid
    where ($2::uuid is null or appointment.patient_id = $2::uuid)
      and ($3::uuid is null or appointment.practitioner_id = $3::uuid)
      and ($4::text is null or appointment.ends_at > $4::text::timestamptz)
      and ($5::text is null or appointment.starts_at < $5::text::timestamptz)
      and ($6::text is null or appointment.status = $6::text)
      and ($8::text is null or (appointment.starts_at, appointment.id) > ($8::text::timestamptz, $9::uuid))
    order by appointment.starts_at, appointment.id
    limit $7::int8
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, patient_id, request_id)
    select distinct $10::text::timestamptz, 'account', $1::uuid, 'read', 'appointment.list', patient_id, $11::text from seen
)
select appointment_document(seen::appointment) from seen order by seen.starts_at, seen.id
