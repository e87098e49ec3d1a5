-- What signs to a webhook that the actor may change, sealed, and where that is.
-- $1 who   $2 webhook
select jsonb_build_object(
    'id', w.id, 'url', w.url, 'state', w.state, 'wrapped_key', w.wrapped_key, 'secret', w.secret,
    'former_secrets', webhook_former_secrets(w, ($1::jsonb ->> 'at')::timestamptz))
from webhook_of($1::jsonb, 'update', $2::uuid) w
