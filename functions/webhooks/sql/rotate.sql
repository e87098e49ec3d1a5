-- Gives a webhook another secret; the present one signs beside it for a while, and the one before that no longer.
-- $1 who   $2 webhook   $3 the new one, sealed   $4 the present one, sealed   $5 until when
with rotated as (
    update webhook set
        former_secret = webhook.secret, former_until = $5::text::timestamptz, secret = $3::text
    from webhook_of($1::jsonb, 'update', $2::uuid) mine
    where webhook.id = mine.id and webhook.secret = $4::text
    returning webhook.*
), recorded as (
    insert into trace select line.* from rotated, entry($1::jsonb, 'update', 'webhook.rotate', rotated.id, null) as line
)
select webhook_document(rotated::webhook, ($1::jsonb ->> 'at')::timestamptz) from rotated
