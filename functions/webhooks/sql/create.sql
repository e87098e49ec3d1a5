-- Registers an address: see the function's definition.
-- $1 who   $2 {id, url, description, events, wrapped_key, secret, most}
select create_webhook($1::jsonb, $2::jsonb)
