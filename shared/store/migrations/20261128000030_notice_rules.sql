-- What told several visits in one message, and text messages of which a provider says nothing.

-- Who looked at what a message leads to has looked at all that it told.
create index notice_told_in on notice (told_in) where told_in is not null;
-- Sent, and not known to have arrived; and those that did, which show that the provider tells.
create index notice_unconfirmed on notice (settled_at) where state = 'sent' and channel = 'sms' and passed_on_at is null;
create index notice_arrived on notice (provider, settled_at) where state = 'delivered' and channel = 'sms';
