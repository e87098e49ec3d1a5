-- Says who the attending physician is, or that there is none. Outcome `unknown` for one who is not in the directory.
-- $1 who   $2 patient   $3 practitioner, or null
with former as (
    select patient.* from patient
    where id = $2::uuid and may($1::jsonb, 'attending-physician', 'update', id, null, null)
), changed as (
    update patient set attending_practitioner_id = $3::uuid from former
    where patient.id = former.id and ($3::uuid is null or exists (select from practitioner where id = $3::uuid))
    returning patient.id, former.attending_practitioner_id as before
), recorded as (
    insert into trace
    select line.* from changed, entry($1::jsonb, 'update', 'patient.attending-physician', $3::uuid, changed.id,
        change(changed.id, 'attending_physician', changed.before::text, $3::uuid::text)) as line
)
select jsonb_build_object('known', exists (select from changed), 'person', sealed_person(former.id),
    'attending_physician', attending_physician($3::uuid))
from former
