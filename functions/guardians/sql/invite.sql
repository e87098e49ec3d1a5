-- Offers a place among those who act for a patient, to whoever has the code.
-- $1 who   $2 {id, patient, code_hash, relation, rights, expires_at}
with invited as (
    insert into invitation (id, code_hash, invited_by, created_at, expires_at, patient_id, relation, rights)
    select wish.id, wish.code_hash, ($1::jsonb ->> 'account')::uuid, ($1::jsonb ->> 'at')::timestamptz, wish.expires_at,
           wish.patient, wish.relation, wish.rights
    from jsonb_to_record($2::jsonb) as wish (
        id uuid, patient uuid, code_hash text, relation text, rights text[], expires_at timestamptz)
    where may($1::jsonb, 'guardianship', 'create', wish.patient, null, null)
    returning id, patient_id
), recorded as (
    insert into trace
    select line.* from invited, entry($1::jsonb, 'create', 'guardianship.invite', invited.id, invited.patient_id) as line
)
select jsonb_build_object('id', id) from invited
