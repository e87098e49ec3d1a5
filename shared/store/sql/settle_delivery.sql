-- Writes down how the attempts ended, each only if the lease is still ours.
-- $1 lease   $2 now   $3 [{id, state, next_attempt_at, error}]
with outcome as (
    select * from jsonb_to_recordset($3::jsonb) as o (id bigint, state text, next_attempt_at text, error text)
), settled as (
    update delivery set
        state = outcome.state, lease = null, lease_until = null, last_error = outcome.error,
        next_attempt_at = coalesce(outcome.next_attempt_at::timestamptz, delivery.next_attempt_at),
        settled_at = case when outcome.state = 'waiting' then null else $2::text::timestamptz end
    from outcome where delivery.id = outcome.id and delivery.lease = $1::uuid
    returning delivery.id
)
select jsonb_build_object('count', count(*)) from settled
