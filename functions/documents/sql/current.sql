-- A document as a change of it is decided on.
-- $1 who   $2 document   $3 action
select jsonb_build_object(
    'document', document_document($1::jsonb, d), 'secrecy', document_secrecy($1::jsonb, d),
    'of_age', coalesce(patient.adult_from <= ($1::jsonb ->> 'at')::timestamptz, false))
from document d join patient on patient.id = d.patient_id
where d.id = $2::uuid and document_may($1::jsonb, $3::text, d)
