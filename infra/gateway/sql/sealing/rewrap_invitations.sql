-- $1 [{id, before, after}]
update invitation set name_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where invitation.id = w.id and invitation.name_key = w.before
