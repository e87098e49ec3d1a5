-- Leaves a trace of documents whose bytes are not where they were written.
-- $1 who   $2 documents
with missing as (
    select d.id, d.patient_id from document d where d.id = any ($2::text[]::uuid[])
), recorded as (
    insert into trace
    select line.* from missing, entry($1::jsonb, 'read', 'document.bytes-missing', missing.id, missing.patient_id, null, 'failed') as line
)
select jsonb_build_object('missing', count(*)) from missing
