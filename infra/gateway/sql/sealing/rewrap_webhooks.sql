-- $1 [{id, before, after}]
update webhook set wrapped_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where webhook.id = w.id and webhook.wrapped_key = w.before
