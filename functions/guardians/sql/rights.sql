-- Changes what one may do, at the version it was decided on.
-- $1 who   $2 which guardianship   $3 version of the patient's guardians   $4 rights
with former as (
    select patient_id, rights from guardianship where id = $2::uuid
), at_version as (
    update patient set guardians_version = guardians_version + 1
    from former
    where patient.id = former.patient_id and patient.guardians_version = $3::int8
      and may($1::jsonb, 'guardianship', 'update', patient.id, null, null)
    returning patient.id, former.rights
), changed as (
    update guardianship set rights = $4::text[]
    from at_version where guardianship.id = $2::uuid and guardianship.patient_id = at_version.id
    returning guardianship.*
), recorded as (
    insert into trace
    select line.* from changed, at_version,
        entry($1::jsonb, 'update', 'guardianship.rights', changed.id, changed.patient_id,
              change(changed.patient_id, 'rights', at_version.rights::text, changed.rights::text)) as line
)
select guardian_document(changed::guardianship, $1::jsonb) from changed
