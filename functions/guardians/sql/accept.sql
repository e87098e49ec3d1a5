-- Takes up an invitation to act for a patient: see the function's definition.
-- $1 who   $2 keyed hash of the code
select accept_guardianship($1::jsonb, $2::text)
