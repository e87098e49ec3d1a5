-- Whether a guardianship is the actor's own and in force: whether there is something of theirs to show.
-- $1 who   $2 which
select jsonb_build_object('id', id) from guardianship
where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid
  and may($1::jsonb, 'guardianship-proof', 'create', patient_id, null, null)
