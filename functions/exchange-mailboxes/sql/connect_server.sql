-- Connects a server: see the function's definition.
-- $1 who   $2 {id, kind, name, wrapped_key, settings, most}
select create_exchange_server($1::jsonb, $2::jsonb)
