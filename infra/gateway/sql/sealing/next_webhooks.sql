-- The next keys that another master key wraps. $1 name of the present one   $2 after   $3 how many
select id, wrapped_key from webhook
where not starts_with(wrapped_key, $1 || '.') and id > $2 order by id limit $3
