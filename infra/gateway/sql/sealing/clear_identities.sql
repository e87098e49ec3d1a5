-- Identities of providers that stand in clear. $1 how many
select provider, subject from external_identity where subject is not null order by provider, subject limit $1
