-- Takes up nothing more for an address until it is resumed; what is on its way there may still arrive.
-- $1 who   $2 webhook
with mine as (
    select w.id from webhook_of($1::jsonb, 'update', $2::uuid) w
), paused as (
    update webhook set state = 'paused', paused_why = 'administrator', paused_at = ($1::jsonb ->> 'at')::timestamptz
    from mine where webhook.id = mine.id and webhook.state = 'active'
    returning webhook.*
), recorded as (
    insert into trace select line.* from paused, entry($1::jsonb, 'update', 'webhook.pause', paused.id, null) as line
)
select jsonb_build_object('webhook',
    (select webhook_document(paused::webhook, ($1::jsonb ->> 'at')::timestamptz) from paused)) from mine
