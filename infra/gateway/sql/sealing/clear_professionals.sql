-- Operators' reasons that stand in clear. $1 how many
select id, reason from professional where reason <> '' order by id limit $1
