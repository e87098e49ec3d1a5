-- A claim that the actor may decide on.
-- $1 who   $2 professional
select jsonb_build_object('state', state) from professional
where id = $2::uuid and account_id <> ($1::jsonb ->> 'account')::uuid
  and may($1::jsonb, 'professional', 'update', null, null, null)
