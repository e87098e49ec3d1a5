-- Who acts for a patient, and the trace of the reading.
-- $1 who   $2 patient
with seen as (
    select guardianship.* from guardianship
    where patient_id = $2::uuid and in_force(guardianship, ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'guardianship', 'read', patient_id, null, null)
), recorded as (
    insert into trace
    select line.* from (select distinct patient_id from seen) patient,
        entry($1::jsonb, 'read', 'guardianship.list', null, patient.patient_id) as line
)
select guardian_document(seen::guardianship, $1::jsonb) from seen order by since, id
