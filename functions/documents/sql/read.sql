-- One document, and the trace of its reading.
-- $1 who   $2 document
with seen as (
    select d.* from document d where d.id = $2::uuid and document_may($1::jsonb, 'read', d)
), looked as (
    -- Whoever was told of it has looked: no other channel is tried.
    update notice set state = 'read' from seen
    where $1::jsonb ->> 'role' = 'patient' and notice.document_id = seen.id
      and notice.recipient_id = ($1::jsonb ->> 'account')::uuid and notice.state in ('sent', 'delivered')
    returning notice.id
), noted as (
    insert into notice_history (notice_id, at, state) select id, ($1::jsonb ->> 'at')::timestamptz, 'read' from looked
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'document.read', seen.id, seen.patient_id) as line
)
select document_document($1::jsonb, seen::document) from seen
