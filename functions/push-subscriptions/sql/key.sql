-- The key that seals where a browser of the actor's account is reached.
-- $1 who
select jsonb_build_object('wrapped_key', wrapped_key) from account
where id = ($1::jsonb ->> 'account')::uuid and state = 'active'
