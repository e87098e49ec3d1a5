-- The appointments the actor may see, by start, and a trace of the reading for each patient seen.
-- $1 who   $2 patient   $3 practitioner   $4 from   $5 until   $6 status   $7 how many   $8 after: start  $9 after: id
with candidate as (
    -- Found by what the actor has to do with them; whether that is enough is for the policy to say.
    select appointment.* from appointment
    join guardianship on guardianship.patient_id = appointment.patient_id
        and guardianship.account_id = ($1::jsonb ->> 'account')::uuid
    where $1::jsonb ->> 'role' = 'patient'
    union all
    select appointment.* from appointment
    where $1::jsonb ->> 'role' <> 'patient'
      and appointment.practitioner_id = any (attached_to($1::jsonb) || ($1::jsonb ->> 'practitioner')::uuid)
), seen as (
    select candidate.* from candidate join site on site.id = candidate.site_id
    where ($2::uuid is null or candidate.patient_id = $2::uuid)
      and ($3::uuid is null or candidate.practitioner_id = $3::uuid)
      and ($4::text is null or candidate.ends_at > $4::text::timestamptz)
      and ($5::text is null or candidate.starts_at < $5::text::timestamptz)
      and ($6::text is null or candidate.status = $6::text)
      and ($8::text is null or (candidate.starts_at, candidate.id) > ($8::text::timestamptz, $9::uuid))
      and may($1::jsonb, 'appointment', 'read', candidate.patient_id, candidate.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, candidate::appointment)
    order by candidate.starts_at, candidate.id
    limit $7::int8
), recorded as (
    insert into trace
    select line.* from (select distinct patient_id from seen) patient,
        entry($1::jsonb, 'read', 'appointment.list', null, patient.patient_id) as line
    union all
    -- Who asks for somebody of whom there is nothing to see has asked all the same.
    select line.* from entry($1::jsonb, 'read', 'appointment.list', $2::uuid, null, null, 'refused') as line
    where $2::uuid is not null and not exists (select from seen)
      and not exists (select from guardianship g where g.patient_id = $2::uuid and g.account_id = ($1::jsonb ->> 'account')::uuid)
)
select appointment_document(seen::appointment) from seen order by seen.starts_at, seen.id
