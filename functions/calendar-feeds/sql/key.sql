-- The key that seals what the actor calls a feed.
-- $1 who
select jsonb_build_object('wrapped_key', wrapped_key) from account where id = ($1::jsonb ->> 'account')::uuid
