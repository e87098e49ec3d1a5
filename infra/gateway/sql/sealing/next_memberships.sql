-- The next keys that another master key wraps. $1 name of the present one   $2 after   $3 how many
select name_owner, name_key from membership
where name_key is not null and not starts_with(name_key, $1 || '.') and name_owner > $2 order by name_owner limit $3
