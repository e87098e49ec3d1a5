-- Removes a webhook with its secrets and all that waits for it; what is on its way there may still arrive.
-- $1 who   $2 webhook
with removed as (
    delete from webhook using webhook_of($1::jsonb, 'delete', $2::uuid) mine where webhook.id = mine.id
    returning webhook.id
), recorded as (
    insert into trace select line.* from removed, entry($1::jsonb, 'delete', 'webhook.remove', removed.id, null) as line
)
select jsonb_build_object('id', id) from removed
