-- Forgets idempotency keys: nobody sends a request again after so long.
-- $1 made before   $2 how many at most
with past as (
    select account_id, operation, key from idempotency
    where created_at < $1::text::timestamptz
    order by created_at limit $2::int8
    for update skip locked
), purged as (
    delete from idempotency using past
    where idempotency.account_id = past.account_id and idempotency.operation = past.operation and idempotency.key = past.key
    returning 1
)
select jsonb_build_object('purged', count(*)) from purged
