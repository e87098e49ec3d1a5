-- A child of the actor: see the function's definition.
-- $1 who   $2 {id, wrapped_key, identity, twin_lookup, private_from, adult_from}
select add_patient($1::jsonb, $2::jsonb)
