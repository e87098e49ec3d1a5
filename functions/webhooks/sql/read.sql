-- One webhook, and the trace of the reading.
-- $1 who   $2 webhook
with seen as (
    select w.* from webhook_of($1::jsonb, 'read', $2::uuid) w
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'webhook.read', seen.id, null) as line
)
select webhook_document(seen::webhook, ($1::jsonb ->> 'at')::timestamptz) from seen
