-- How many keys another master key wraps. $1 name of the present one
select count(*) from professional where reason_key is not null and not starts_with(reason_key, $1 || '.')
