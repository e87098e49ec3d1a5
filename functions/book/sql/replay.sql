-- What an idempotency key already gave.
-- $1 actor   $2 operation   $3 key   $4 hash of the request
select case when request_hash = $4::text
    then jsonb_build_object('outcome', 'replayed', 'appointment', answer)
    else jsonb_build_object('outcome', 'key_reused') end
from idempotency
where account_id = $1::uuid and operation = $2::text and key = $3::text
