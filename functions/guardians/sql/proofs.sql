-- What operators have to look at, oldest first: who says to be what to whom, and by which document.
-- $1 who   $2 how many
with seen as (
    select g.*, patient.given_name || ' ' || patient.family_name as patient_name, patient.birth_date
    from guardianship g join patient on patient.id = g.patient_id
    where g.state = 'declared' and g.proof is not null and in_force(g, ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'guardianship-proof', 'read', g.patient_id, null, null)
    order by g.proof_given_at, g.id limit $2::int8
), recorded as (
    insert into trace
    select line.* from seen, entry($1::jsonb, 'read', 'guardianship.proofs', seen.id, seen.patient_id) as line
)
select jsonb_build_object('id', id, 'name', coalesce(name_of_account(account_id), ''), 'relation', relation,
    'patient_name', patient_name, 'birth_date', birth_date, 'proof', proof, 'reference', proof_reference,
    'given_at', proof_given_at)
from seen order by proof_given_at, id
