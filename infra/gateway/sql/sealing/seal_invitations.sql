-- $1 [{id, clear, sealed: {wrapped_key, text}}]
update invitation set name_key = w.sealed ->> 'wrapped_key', sealed_name = w.sealed ->> 'text', name = ''
from jsonb_to_recordset($1) as w (id uuid, clear text, sealed jsonb)
where invitation.id = w.id and invitation.name = w.clear
