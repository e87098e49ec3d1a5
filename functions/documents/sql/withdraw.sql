-- Takes a document back, for who deposited it. Its bytes stay as long as the record is kept; nobody else sees it again.
-- $1 who   $2 document
with withdrawn as (
    update document d set withdrawn_at = ($1::jsonb ->> 'at')::timestamptz, revision = d.revision + 1
    where d.id = $2::uuid and d.withdrawn_at is null and d.author_id = ($1::jsonb ->> 'account')::uuid
      and document_may($1::jsonb, 'delete', d)
    returning d.*
), recorded as (
    insert into trace
    select line.* from withdrawn, entry($1::jsonb, 'delete', 'document.withdraw', withdrawn.id, withdrawn.patient_id) as line
)
select document_document($1::jsonb, withdrawn::document) from withdrawn
