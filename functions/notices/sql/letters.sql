-- Letters that wait to be printed and are true still, of the agendas that the actor works for, and the trace of the look at each patient.
-- $1 who
with seen as (
    select n.id, n.kind, n.planned_at, a as visit, a.patient_id, a.starts_at
    from notice n join appointment a on a.id = n.appointment_id join site on site.id = a.site_id
    where n.establishment_id = ($1::jsonb ->> 'establishment')::uuid and n.channel = 'letter' and n.state = 'planned'
      and letter_untrue(n, ($1::jsonb ->> 'at')::timestamptz) is null
      and may($1::jsonb, 'notice', 'read', a.patient_id, a.practitioner_id, site.establishment_id)
    order by n.starts_at, n.id limit 200
), recorded as (
    insert into trace
    select line.* from (select distinct patient_id from seen) patient,
        entry($1::jsonb, 'read', 'letter.list', null, patient.patient_id) as line
)
select jsonb_build_object('id', seen.id, 'kind', seen.kind, 'planned_at', seen.planned_at,
    'appointment', appointment_document(seen.visit), 'person', sealed_person(seen.patient_id))
from seen order by seen.starts_at, seen.id
