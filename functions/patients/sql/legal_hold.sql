-- Says whether something of the record is contested: as long as it is, nothing of it is removed.
-- $1 who   $2 patient   $3 held
with former as (
    select patient.* from patient where id = $2::uuid and may($1::jsonb, 'legal-hold', 'update', id, null, null)
), changed as (
    update patient set legal_hold = $3::boolean from former where patient.id = former.id
    returning patient.id, patient.legal_hold, former.legal_hold as before
), recorded as (
    insert into trace
    select line.* from changed, entry($1::jsonb, 'update', 'patient.legal-hold', changed.id, changed.id,
        change(changed.id, 'legal_hold', changed.before::text, changed.legal_hold::text)) as line
)
select jsonb_build_object('patient', id, 'legal_hold', legal_hold) from changed
