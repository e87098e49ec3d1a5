-- The latest upload of a document that the actor sees, and the trace of the look.
-- $1 who   $2 document
with seen as (
    select d.id, d.patient_id from document d where d.id = $2::uuid and document_may($1::jsonb, 'create', d)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'document.read', seen.id, seen.patient_id) as line
)
select upload_document($1::jsonb, d, v) from seen
join document d on d.id = seen.id
join document_version v on v.document_id = seen.id
where v.number = (select max(number) from document_version where document_id = seen.id)
