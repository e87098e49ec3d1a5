-- A child of the actor. Repeated by mistake (same names and birth date), it is the one already there.
-- $1 actor   $2 {id, given_name, family_name, birth_date, wrapped_key, request_id}   $3 now
with known as (
    select patient.* from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = $1::uuid and guardianship.relation <> 'self'
      and fold(patient.given_name) = fold($2::jsonb ->> 'given_name')
      and fold(patient.family_name) = fold($2::jsonb ->> 'family_name')
      and patient.birth_date = ($2::jsonb ->> 'birth_date')::date
), counted as (
    insert into resource (id, kind) select ($2::jsonb ->> 'id')::uuid, 'patient' where not exists (select from known)
    returning id
), filed as (
    insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
    select counted.id, $2::jsonb ->> 'given_name', $2::jsonb ->> 'family_name', ($2::jsonb ->> 'birth_date')::date,
           $2::jsonb ->> 'wrapped_key', $3::text::timestamptz
    from counted
    returning *
), linked as (
    insert into guardianship (account_id, patient_id, relation, since)
    select $1::uuid, id, 'parent', $3::text::timestamptz from filed
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
    select $3::text::timestamptz, 'account', $1::uuid, 'create', 'patient.create', id, id, $2::jsonb ->> 'request_id' from filed
)
select jsonb_build_object('id', id, 'given_name', given_name, 'family_name', family_name, 'birth_date', birth_date,
                          'relation', 'parent')
from (select * from known union all select * from filed) patient limit 1
