-- Lets a professional in again.
-- $1 who   $2 patient   $3 practitioner
with lifted as (
    update block set until = ($1::jsonb ->> 'at')::timestamptz
    where patient_id = $2::uuid and practitioner_id = $3::uuid
      and (until is null or until > ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'block', 'delete', patient_id, practitioner_id, null)
    returning *
), recorded as (
    insert into trace
    select line.* from lifted, entry($1::jsonb, 'delete', 'block.lift', lifted.practitioner_id, lifted.patient_id) as line
)
select jsonb_build_object('practitioner', practitioner_id, 'name', name_of_practitioner(practitioner_id), 'since', since)
from lifted
