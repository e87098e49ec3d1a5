-- Forgets a browser that its push service does not know any more.
-- $1 who (the system)   $2 subscription   $3 as it was sent to: a browser that came back meanwhile stays
with gone as (
    delete from push_subscription where id = $2::uuid and sealed = $3::text returning id
), recorded as (
    insert into trace select line.* from gone, entry($1::jsonb, 'delete', 'push.gone', gone.id, null) as line
)
select jsonb_build_object('gone', count(*)) from gone
