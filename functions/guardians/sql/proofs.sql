-- What operators have to look at, oldest first: who says to be what to whom, and by which document.
-- $1 who   $2 how many
with seen as (
    select g.* from guardianship g
    where g.state = 'declared' and g.proof is not null and in_force(g, ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'guardianship-proof', 'read', g.patient_id, null, null)
    order by g.proof_given_at, g.id limit $2::int8
), recorded as (
    insert into trace
    select line.* from seen, entry($1::jsonb, 'read', 'guardianship.proofs', seen.id, seen.patient_id) as line
    union all
    -- That somebody looked and there was nothing.
    select line.* from entry($1::jsonb, 'read', 'guardianship.proofs', null, null) as line where not exists (select from seen)
)
select jsonb_build_object('id', id, 'person', person_of_account(account_id), 'relation', relation,
    'patient', sealed_person(patient_id), 'proof', proof, 'reference', proof_reference,
    'given_at', proof_given_at)
from seen order by proof_given_at, id
