-- How many mailboxes there are that can be listened to.
select jsonb_build_object('mailboxes', count(*))
from exchange_mailbox m join exchange_server s on s.id = m.server_id
where s.kind = 'ews' and m.state = 'active'
