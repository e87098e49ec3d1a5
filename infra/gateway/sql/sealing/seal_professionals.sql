-- $1 [{id, clear, sealed: {wrapped_key, text}}]
update professional set reason_key = w.sealed ->> 'wrapped_key', sealed_reason = w.sealed ->> 'text', reason = ''
from jsonb_to_recordset($1) as w (id uuid, clear text, sealed jsonb)
where professional.id = w.id and professional.reason = w.clear
