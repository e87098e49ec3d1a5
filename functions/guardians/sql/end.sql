-- Ends one's acting for a patient, at the version it was decided on.
-- $1 who   $2 which guardianship   $3 version of the patient's guardians
with at_version as (
    update patient set guardians_version = guardians_version + 1
    from guardianship g
    where g.id = $2::uuid and patient.id = g.patient_id and patient.guardians_version = $3::int8
      and may($1::jsonb, 'guardianship', 'delete', patient.id, null, null)
    returning patient.id
), ended as (
    update guardianship set until = ($1::jsonb ->> 'at')::timestamptz, ended_at = ($1::jsonb ->> 'at')::timestamptz
    from at_version where guardianship.id = $2::uuid and guardianship.patient_id = at_version.id
    returning guardianship.*
), withdrawn as (
    -- Nobody comes in by a place that they offered.
    delete from invitation using ended
    where invitation.invited_by = ended.account_id and invitation.patient_id = ended.patient_id and accepted_at is null
), recorded as (
    insert into trace
    select line.* from ended, entry($1::jsonb, 'delete', 'guardianship.end', ended.id, ended.patient_id) as line
)
select guardian_document(ended::guardianship, $1::jsonb) from ended
