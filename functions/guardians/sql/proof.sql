-- Says what shows that the actor may act for a patient. An operator will look at it.
-- $1 who   $2 the actor's guardianship   $3 kind of document   $4 the document, once such are kept
with shown as (
    update guardianship set proof = $3::text, proof_reference = $4::uuid, proof_given_at = ($1::jsonb ->> 'at')::timestamptz
    where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid and state = 'declared'
      -- Of the file that came with an account there is nothing to show.
      and (relation <> 'self' or invited_by is not null)
      and may($1::jsonb, 'guardianship-proof', 'create', patient_id, null, null)
    returning guardianship.*
), recorded as (
    insert into trace
    select line.* from shown, entry($1::jsonb, 'update', 'guardianship.proof', shown.id, shown.patient_id) as line
)
select guardian_document(shown::guardianship, $1::jsonb) from shown
