-- Connections were left in the middle: what was told last over them is not known.
-- $1 [connection]
with mine as (
    select m.id from exchange_mailbox m
    where m.listener in (select connection::uuid from jsonb_array_elements_text($1::jsonb) connection)
    order by m.id for no key update
), freed as (
    update exchange_mailbox m set listener = null, listener_until = null, watch = null, watch_until = null
    from mine where m.id = mine.id
    returning m.id
)
select jsonb_build_object('left', count(*)) from freed
