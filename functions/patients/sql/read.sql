-- The administrative part of a patient's record, and the trace of its reading.
-- $1 who   $2 patient
with seen as (
    select patient.* from patient
    where id = $2::uuid and may($1::jsonb, 'patient', 'read', id, null, null)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'patient.read', seen.id, seen.id) as line
)
select jsonb_build_object('person', sealed_person(id), 'attending_physician', attending_physician(attending_practitioner_id))
from seen
