-- Changes what is given. Another address has to show itself first; what happens meanwhile waits for it.
-- $1 who   $2 webhook   $3 {url?, description?, events?}
with changed as (
    update webhook set
        url = coalesce($3::jsonb ->> 'url', webhook.url),
        description = coalesce($3::jsonb ->> 'description', webhook.description),
        events = coalesce((select array_agg(event) from jsonb_array_elements_text($3::jsonb -> 'events') event), webhook.events),
        state = case when elsewhere then 'unverified' else webhook.state end,
        verified_at = case when elsewhere then null else webhook.verified_at end,
        paused_why = case when elsewhere then null else webhook.paused_why end,
        paused_at = case when elsewhere then null else webhook.paused_at end,
        failures = case when elsewhere then 0 else webhook.failures end,
        failing_since = case when elsewhere then null else webhook.failing_since end,
        resting_until = case when elsewhere then null else webhook.resting_until end,
        slow = webhook.slow and not elsewhere
    from webhook_of($1::jsonb, 'update', $2::uuid) mine,
        lateral (select coalesce($3::jsonb ->> 'url' <> mine.url, false) as elsewhere) is_it
    where webhook.id = mine.id
    returning webhook.*
), recorded as (
    insert into trace select line.* from changed, entry($1::jsonb, 'update', 'webhook.change', changed.id, null) as line
)
select webhook_document(changed::webhook, ($1::jsonb ->> 'at')::timestamptz) from changed
