-- $1 [{provider, subject, lookup}]
update external_identity set subject_lookup = w.lookup, subject = null
from jsonb_to_recordset($1) as w (provider text, subject text, lookup text)
where external_identity.provider = w.provider and external_identity.subject = w.subject
