-- Makes a lease longer, for work that takes long; of what was settled or taken over meanwhile nothing is changed.
-- $1 lease   $2 lease until
with renewed as (
    update delivery set lease_until = $2::text::timestamptz where lease = $1::uuid and state = 'waiting' returning id
)
select jsonb_build_object('count', count(*)) from renewed
