-- The next keys that another master key wraps. $1 name of the present one   $2 after   $3 how many
select id, reason_key from professional
where reason_key is not null and not starts_with(reason_key, $1 || '.') and id > $2 order by id limit $3
