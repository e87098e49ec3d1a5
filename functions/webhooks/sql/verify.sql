-- Opens an address that has answered, unless it became another meanwhile. What has waited for it is sent at once.
-- $1 who   $2 webhook   $3 address
with verified as (
    update webhook set
        state = 'active', verified_at = ($1::jsonb ->> 'at')::timestamptz,
        since = coalesce(webhook.since, ($1::jsonb ->> 'at')::timestamptz),
        failures = 0, failing_since = null, resting_until = null, slow = false
    from webhook_of($1::jsonb, 'update', $2::uuid) mine
    where webhook.id = mine.id and webhook.state = 'unverified' and webhook.url = $3::text
    returning webhook.*
), woken as (
    update webhook_delivery set attempts = 0, next_attempt_at = ($1::jsonb ->> 'at')::timestamptz
    from verified where webhook_delivery.webhook_id = verified.id and webhook_delivery.state = 'waiting'
), recorded as (
    insert into trace select line.* from verified, entry($1::jsonb, 'update', 'webhook.verify', verified.id, null) as line
)
select webhook_document(verified::webhook, ($1::jsonb ->> 'at')::timestamptz) from verified
