-- $1 [{id, before, after}]
update account set wrapped_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where account.id = w.id and account.wrapped_key = w.before
