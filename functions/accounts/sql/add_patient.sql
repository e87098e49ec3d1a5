-- A child of the actor: see the function's definition.
-- $1 who   $2 {id, given_name, family_name, birth_date, wrapped_key, until}
select add_patient($1::jsonb, $2::jsonb)
