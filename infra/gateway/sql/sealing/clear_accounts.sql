-- Accounts whose address stands in clear. $1 how many
select jsonb_build_object('id', id, 'email', email, 'phone', phone) from account where email is not null order by id limit $1
