-- What signs to a webhook that the actor may change, sealed, and where that is.
-- $1 who   $2 webhook
select jsonb_build_object(
    'id', w.id, 'url', w.url, 'state', w.state, 'wrapped_key', w.wrapped_key, 'secret', w.secret,
    'former_secret', case when w.former_until > ($1::jsonb ->> 'at')::timestamptz then w.former_secret end)
from webhook_of($1::jsonb, 'update', $2::uuid) w
