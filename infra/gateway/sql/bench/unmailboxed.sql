-- Takes away whatever mailboxes.sql put there.
with server as (
    select id from exchange_server where name = 'bench'
), mailbox as (
    select id, practitioner_id from exchange_mailbox where server_id in (select id from server)
), places as (
    update site set establishment_id = null
    where id in (select site_id from practice join mailbox using (practitioner_id)) and source_key like 'measure:%'
), links as (
    delete from exchange_link where mailbox_id in (select id from mailbox)
), blocks as (
    delete from exchange_block where mailbox_id in (select id from mailbox)
), mailboxes as (
    delete from exchange_mailbox where id in (select id from mailbox)
)
delete from exchange_server where id in (select id from server)
