-- $1 [{id, wrapped_key, contact, email_lookup}]
update account set wrapped_key = w.wrapped_key, contact = w.contact, email_lookup = w.email_lookup, email = null, phone = null
from jsonb_to_recordset($1) as w (id uuid, wrapped_key text, contact text, email_lookup text)
where account.id = w.id and account.email is not null
