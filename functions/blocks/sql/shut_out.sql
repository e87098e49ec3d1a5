-- Shuts a professional out: see the function's definition.
-- $1 who   $2 patient   $3 practitioner
select shut_out($1::jsonb, $2::uuid, $3::uuid)
