-- $1 [{id, clear, sealed: {wrapped_key, text}}]
update membership set name_owner = w.id, name_key = w.sealed ->> 'wrapped_key', sealed_name = w.sealed ->> 'text', name = ''
from jsonb_to_recordset($1) as w (id uuid, clear text, sealed jsonb)
where membership.id = w.id and membership.name = w.clear
