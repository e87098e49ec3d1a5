-- One document, and the trace of its reading.
-- $1 who   $2 document
with seen as (
    select d.* from document d where d.id = $2::uuid and document_may($1::jsonb, 'read', d)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'document.read', seen.id, seen.patient_id) as line
)
select document_document($1::jsonb, seen::document) from seen
-- Whoever was told of it has looked: no other channel is tried.
cross join lateral notices_looked_at($1::jsonb, null, seen.id, null) as looked
