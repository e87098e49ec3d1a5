-- A child of the actor: see the function's definition.
-- $1 actor   $2 {id, given_name, family_name, birth_date, wrapped_key, request_id}   $3 now
select add_patient($1::uuid, $2::jsonb, $3::text::timestamptz)
