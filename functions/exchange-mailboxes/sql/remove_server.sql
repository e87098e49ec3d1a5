-- Removes a server with its credentials, once no mailbox is reached by it. Mailboxes that have left go with it.
-- $1 who   $2 server
with mine as (
    select s.id, exists (select from exchange_mailbox m where m.server_id = s.id and m.state <> 'left') as used
    from exchange_server s
    where s.id = $2::uuid and may($1::jsonb, 'exchange-server', 'delete', null, null, s.establishment_id)
), unlinked as (
    delete from exchange_link l using exchange_mailbox m, mine where l.mailbox_id = m.id and m.server_id = mine.id and not mine.used
), emptied as (
    delete from exchange_mailbox m using mine where m.server_id = mine.id and not mine.used
    returning m.id
), removed as (
    delete from exchange_server s using mine where s.id = mine.id and not mine.used
    returning s.id
), recorded as (
    insert into trace select line.* from removed, entry($1::jsonb, 'delete', 'exchange-server.remove', removed.id, null) as line
)
select jsonb_build_object('used', used) from mine
