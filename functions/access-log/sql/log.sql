-- What was done to the actor's patients, newest first, and a trace of the reading for each of them.
-- $1 who   $2 patient   $3 from   $4 until   $5 how many   $6 before: at   $7 before: seq
with mine as materialized (
    select patient.id
    from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = ($1::jsonb ->> 'account')::uuid
      and ($2::uuid is null or patient.id = $2::uuid)
      and may($1::jsonb, 'access-log', 'read', patient.id, null, null)
), concerned as (
    select line.* from mine, access_lines($1::jsonb, mine.id, $3::text::timestamptz, $4::text::timestamptz, $5::int8,
                                          $6::text::timestamptz, $7::int8) as line
    order by line.at desc, line.seq desc
    limit $5::int8
), recorded as (
    insert into trace
    select line.* from mine, entry($1::jsonb, 'read', 'access-log.read', null, mine.id) as line
), attempted as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'access-log.read', $2::uuid, null, null, 'refused') as line
    where $2::uuid is not null and not exists (select from mine)
)
select jsonb_build_object(
    'seq', concerned.seq, 'at', concerned.at, 'event', concerned.event, 'action', concerned.action,
    'outcome', concerned.outcome, 'purpose', concerned.purpose, 'actor_kind', concerned.actor_kind, 'role', concerned.role,
    'oneself', coalesce(concerned.actor_id = ($1::jsonb ->> 'account')::uuid, false),
    'name', professional_name(concerned.actor_id, concerned.role, concerned.establishment_id),
    'person', person_of_account(concerned.actor_id),
    'relation', guardianship.relation, 'establishment', establishment.name, 'emergency', concerned.emergency,
    -- Lines of documents that are kept from the reader are not among these.
    'document', (select document.id from audit join document on document.id = audit.object_id where audit.seq = concerned.seq),
    'patient', mine.id, 'patient_person', sealed_person(mine.id))
from concerned
join mine on mine.id = concerned.concerns
left join establishment on establishment.id = concerned.establishment_id
left join guardianship on concerned.role = 'patient' and guardianship.account_id = concerned.actor_id
    and guardianship.patient_id = concerned.concerns
order by concerned.at desc, concerned.seq desc
