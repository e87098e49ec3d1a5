-- The sealed key of a server that the actor may put mailboxes to.
-- $1 who   $2 server
select jsonb_build_object('wrapped_key', s.wrapped_key) from exchange_server s
where s.id = $2::uuid and may($1::jsonb, 'exchange-server', 'read', null, null, s.establishment_id)
