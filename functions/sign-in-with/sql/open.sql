-- Opens a session for an identity: see the function's definition.
-- $1 who (nobody yet)   $2 what the provider said, and what a new account would need
select sign_in_with($1::jsonb, $2::jsonb)
