-- The mailboxes of the establishment that the actor may see, and the trace of the reading.
-- $1 who
with seen as (
    select m.* from exchange_mailbox m
    where m.establishment_id = ($1::jsonb ->> 'establishment')::uuid and m.state <> 'left'
      and may($1::jsonb, 'mailbox', 'read', null, m.practitioner_id, m.establishment_id)
), recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'mailbox.list', ($1::jsonb ->> 'establishment')::uuid, null) as line
)
select mailbox_document(seen::exchange_mailbox, ($1::jsonb ->> 'at')::timestamptz) from seen order by created_at, id
