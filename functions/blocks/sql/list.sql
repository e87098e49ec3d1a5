-- Whom a patient has shut out, and the trace of the reading.
-- $1 who   $2 patient
with seen as (
    select patient.id from patient
    where id = $2::uuid and may($1::jsonb, 'block', 'read', id, null, null)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'block.list', null, seen.id) as line
)
select jsonb_build_object('blocks', (
    select coalesce(jsonb_agg(jsonb_build_object(
        'practitioner', practitioner_id, 'name', name_of_practitioner(practitioner_id), 'since', since) order by since, practitioner_id), '[]')
    from block where patient_id = seen.id and (until is null or until > ($1::jsonb ->> 'at')::timestamptz)))
from seen
