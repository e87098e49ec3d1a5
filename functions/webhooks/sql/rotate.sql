-- Gives a webhook another secret; the present one, and those before it whose day is not over, sign beside it. Where they are as
-- many as may be, nothing changes: none in use is cut off.
-- $1 who   $2 webhook   $3 the new one, sealed   $4 the present one, sealed   $5 until when   $6 how many former ones at most
with mine as (
    select w.id, webhook_former_secrets(w, ($1::jsonb ->> 'at')::timestamptz) as former from webhook_of($1::jsonb, 'update', $2::uuid) w
), rotated as (
    update webhook set
        older_secrets = mine.former, former_secret = webhook.secret, former_until = $5::text::timestamptz, secret = $3::text
    from mine
    where webhook.id = mine.id and webhook.secret = $4::text and jsonb_array_length(mine.former) < $6::int8
    returning webhook.*
), recorded as (
    insert into trace select line.* from rotated, entry($1::jsonb, 'update', 'webhook.rotate', rotated.id, null) as line
)
select jsonb_build_object(
    'webhook', (select webhook_document(rotated::webhook, ($1::jsonb ->> 'at')::timestamptz) from rotated),
    'full_until', case when jsonb_array_length(mine.former) >= $6::int8 then mine.former -> -1 -> 'until' end)
from mine
