-- Who holds the connection over which a server of a house's own tells of changes to a mailbox, and until when at the latest.
alter table exchange_mailbox add column listener uuid;
alter table exchange_mailbox add column listener_until timestamptz;
-- A mailbox that could not be listened to is left alone until then, longer each time.
alter table exchange_mailbox add column listen_at timestamptz;
alter table exchange_mailbox add column listen_failures integer not null default 0;
alter table exchange_mailbox add constraint exchange_mailbox_listener check ((listener is null) = (listener_until is null));
create index exchange_mailbox_server on exchange_mailbox (server_id);
