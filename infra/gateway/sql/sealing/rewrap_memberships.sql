-- $1 [{id, before, after}]
update membership set name_key = w.after from jsonb_to_recordset($1) as w (id uuid, before text, after text)
where membership.name_owner = w.id and membership.name_key = w.before
