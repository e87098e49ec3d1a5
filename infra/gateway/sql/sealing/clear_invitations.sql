-- Names of invitations that stand in clear. $1 how many
select id, name from invitation where name <> '' order by id limit $1
