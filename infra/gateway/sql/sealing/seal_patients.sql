-- $1 [{id, identity, twin_lookup}]
update patient set identity = w.identity, twin_lookup = w.twin_lookup, given_name = null, family_name = null, birth_date = null
from jsonb_to_recordset($1) as w (id uuid, identity text, twin_lookup text)
where patient.id = w.id and patient.given_name is not null
