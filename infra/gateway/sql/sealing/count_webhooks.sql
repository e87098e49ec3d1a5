-- How many keys another master key wraps. $1 name of the present one
select count(*) from webhook where not starts_with(wrapped_key, $1 || '.')
