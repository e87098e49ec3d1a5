-- How many keys another master key wraps. $1 name of the present one
select count(*) from account where wrapped_key is not null and not starts_with(wrapped_key, $1 || '.')
