-- Takes up an invitation to work in an establishment: see the function's definition.
-- $1 who   $2 keyed hash of the code   $3 membership
select accept_membership($1::jsonb, $2::text, $3::uuid)
