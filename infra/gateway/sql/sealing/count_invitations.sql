-- How many keys another master key wraps. $1 name of the present one
select count(*) from invitation where name_key is not null and not starts_with(name_key, $1 || '.')
