-- All who act for a patient, as a change of them is decided on.
-- $1 who   $2 patient, or null   $3 one who acts, whose patient is meant   $4 action
select jsonb_build_object(
    'version', patient.guardians_version, 'person', sealed_person(patient.id),
    'guardians', (
        select coalesce(jsonb_agg(guardian_document(g, $1::jsonb)), '[]') from guardianship g
        where g.patient_id = patient.id and in_force(g, ($1::jsonb ->> 'at')::timestamptz)))
from patient
where patient.id = coalesce($2::uuid, (select patient_id from guardianship where id = $3::uuid))
  and may($1::jsonb, 'guardianship', $4::text, patient.id, null, null)
