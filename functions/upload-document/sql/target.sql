-- For whom a document would be deposited, if the actor may: the patient's key, the practitioner it would be from, the visit.
-- $1 who   $2 patient, or null for oneself   $3 whether it is administrative   $4 visit, or null
with wanted as (
    select coalesce($2::uuid, (select g.patient_id from guardianship g
        where $1::jsonb ->> 'role' = 'patient' and g.account_id = ($1::jsonb ->> 'account')::uuid and g.relation = 'self'
          and in_force(g, ($1::jsonb ->> 'at')::timestamptz))) as id
), visit as (
    select a.practitioner_id, a.site_id from wanted join appointment a on a.patient_id = wanted.id
    join site on site.id = a.site_id
    where a.id = $4::uuid and may($1::jsonb, 'appointment', 'read', a.patient_id, a.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, a)
)
select jsonb_build_object(
    'patient', patient.id, 'wrapped_key', patient.wrapped_key, 'site', (select site_id from visit),
    'visit_seen', $4::uuid is null or exists (select from visit),
    'of_age', coalesce(patient.adult_from <= ($1::jsonb ->> 'at')::timestamptz, false),
    'secrecy', may($1::jsonb, 'secrecy', 'update', patient.id, ($1::jsonb ->> 'practitioner')::uuid,
                   ($1::jsonb ->> 'establishment')::uuid),
    'practitioner', case $1::jsonb ->> 'role'
        when 'patient' then null
        when 'practitioner' then ($1::jsonb ->> 'practitioner')::uuid
        -- Of those the actor works for and who care for the patient: whose visit it is, else the first.
        else (select p from unnest(attached_to($1::jsonb)) p
              where cared_for(patient.id, array[p], ($1::jsonb ->> 'establishment')::uuid, ($1::jsonb ->> 'at')::timestamptz)
              order by p <> coalesce((select practitioner_id from visit), p), p limit 1) end)
from wanted join patient on patient.id = wanted.id
where may($1::jsonb, case when $3::bool then 'administrative-document' else 'document' end, 'create', patient.id, null, null)
