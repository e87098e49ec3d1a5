-- One mailbox, and the trace of the reading.
-- $1 who   $2 mailbox
with seen as (
    select m.* from mailbox_of($1::jsonb, 'read', $2::uuid) m
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'mailbox.read', seen.id, null) as line
)
select mailbox_document(seen::exchange_mailbox, ($1::jsonb ->> 'at')::timestamptz) from seen
