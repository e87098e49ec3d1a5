-- The next keys that another master key wraps. $1 name of the present one   $2 after   $3 how many
select id, name_key from invitation
where name_key is not null and not starts_with(name_key, $1 || '.') and id > $2 order by id limit $3
