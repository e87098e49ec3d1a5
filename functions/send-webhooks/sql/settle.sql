-- Writes down how some tries ended, webhook after webhook in one order, so that nobody waits for who waits for them: see the
-- function's definition.
-- $1 who: the system   $2 [how, …]
with ended as materialized (
    select how from jsonb_array_elements($2::jsonb) how order by how ->> 'webhook', how ->> 'delivery'
)
select settle_webhook_delivery($1::jsonb, ended.how) from ended
