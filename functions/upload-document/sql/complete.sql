-- The bytes are there: they are to be looked at. Once; whoever comes again changes nothing.
-- $1 who   $2 document   $3 version
with completed as (
    update document_version v set state = 'checking', completed_at = ($1::jsonb ->> 'at')::timestamptz, lease = null,
        lease_until = null
    from document d
    where v.document_id = $2::uuid and v.number = $3::int8 and v.state = 'awaiting_upload'
      and d.id = v.document_id and d.author_id = ($1::jsonb ->> 'account')::uuid and d.withdrawn_at is null
      and document_may($1::jsonb, 'create', d)
    returning v.document_id, v.number, d.patient_id
), there as (
    update document_object o set state = 'written' from completed
    where o.document_id = completed.document_id and o.version = completed.number and o.part = 'staging' and o.state = 'planned'
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'document.uploaded.v1', document_id, jsonb_build_object('document', document_id, 'version', number),
           ($1::jsonb ->> 'at')::timestamptz
    from completed
), recorded as (
    insert into trace
    select line.* from completed, entry($1::jsonb, 'update', 'document.complete', completed.document_id, completed.patient_id) as line
)
select jsonb_build_object('version', number) from completed
