-- $1 [{id, before, after}]
update professional set reason_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where professional.id = w.id and professional.reason_key = w.before
