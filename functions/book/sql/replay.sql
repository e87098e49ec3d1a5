-- What an idempotency key already gave.
-- $1 who   $2 operation   $3 key   $4 hash of the request
select key_outcome($1::jsonb, earlier, $4::text)
from idempotency earlier
where account_id = ($1::jsonb ->> 'account')::uuid and operation = $2::text and key = $3::text
