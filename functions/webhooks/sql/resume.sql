-- Sends again to an address that was paused: what has waited, at once, and with short pauses again.
-- $1 who   $2 webhook
with mine as (
    select w.id from webhook_of($1::jsonb, 'update', $2::uuid) w
), resumed as (
    update webhook set
        state = 'active', paused_why = null, paused_at = null, failures = 0, failing_since = null, resting_until = null
    from mine where webhook.id = mine.id and webhook.state = 'paused'
    returning webhook.*
), woken as (
    update webhook_delivery set attempts = 0, next_attempt_at = ($1::jsonb ->> 'at')::timestamptz
    from resumed where webhook_delivery.webhook_id = resumed.id and webhook_delivery.state = 'waiting'
), recorded as (
    insert into trace select line.* from resumed, entry($1::jsonb, 'update', 'webhook.resume', resumed.id, null) as line
)
select jsonb_build_object('webhook',
    (select webhook_document(resumed::webhook, ($1::jsonb ->> 'at')::timestamptz) from resumed)) from mine
