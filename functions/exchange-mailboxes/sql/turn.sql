-- Turns a mailbox or changes its rules: see the function's definition.
-- $1 who   $2 mailbox   $3 action   $4 turn   $5 rules
select turned from turn_mailbox($1::jsonb, $2::uuid, $3::text, $4::text, $5::jsonb) turned where turned is not null
