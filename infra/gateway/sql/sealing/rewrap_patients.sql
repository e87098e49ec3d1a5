-- $1 [{id, before, after}]
update patient set wrapped_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where patient.id = w.id and patient.wrapped_key = w.before
