-- The webhooks of the establishment of the session, and the trace of the reading.
-- $1 who
with seen as (
    select webhook.* from webhook
    where establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and may($1::jsonb, 'webhook', 'read', null, null, establishment_id)
), recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'webhook.list', ($1::jsonb ->> 'establishment')::uuid, null) as line
)
select webhook_document(seen::webhook, ($1::jsonb ->> 'at')::timestamptz) from seen order by created_at, id
