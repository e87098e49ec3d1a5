-- Lets a browser be told: see the function's definition.
-- $1 who   $2 {id, endpoint_lookup, sealed}   $3 how many of an account at most
select subscribe_push($1::jsonb, $2::jsonb, $3::int8)
