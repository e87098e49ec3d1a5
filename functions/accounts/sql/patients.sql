-- The patients the actor acts for, and the trace of the reading.
-- $1 actor   $2 now   $3 request
with seen as (
    select patient.*, guardianship.relation
    from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = $1::uuid
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, patient_id, request_id)
    select $2::text::timestamptz, 'account', $1::uuid, 'read', 'patient.list', id, $3::text from seen
)
select jsonb_build_object('id', id, 'given_name', given_name, 'family_name', family_name, 'birth_date', birth_date,
                          'relation', relation)
from seen order by relation = 'self' desc, birth_date, id
