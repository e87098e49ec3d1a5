-- Names of members that stand in clear. $1 how many
select id, name from membership where name <> '' order by id limit $1
