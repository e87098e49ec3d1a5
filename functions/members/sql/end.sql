-- Ends a membership: see the function's definition.
-- $1 who   $2 membership
select end_membership($1::jsonb, $2::uuid)
