-- A document that the actor may change, for another version of it.
-- $1 who   $2 document
select jsonb_build_object('patient', patient.id, 'wrapped_key', patient.wrapped_key)
from document d join patient on patient.id = d.patient_id
where d.id = $2::uuid and document_may($1::jsonb, 'update', d)
