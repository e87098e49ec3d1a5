-- Tells a browser of the actor's account nothing more.
-- $1 who   $2 subscription
with removed as (
    delete from push_subscription
    where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid
    returning id
), recorded as (
    insert into trace select line.* from removed, entry($1::jsonb, 'delete', 'push.unsubscribe', removed.id, null) as line
)
select jsonb_build_object('removed', count(*)) from removed
