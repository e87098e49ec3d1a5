-- Takes away the second factors of who has lost them: see the function's definition.
-- $1 who   $2 account   $3 lookup of the e-mail   $4 what was seen: a word
select reset_factors($1::jsonb, $2::uuid, $3::text, $4::text)
