-- Gives up uploads that nobody completed. A document that never had another version is gone with it.
-- $1 who   $2 opened before   $3 how many at most
with past as (
    select document_id, number from document_version
    where state = 'awaiting_upload' and created_at < $2::text::timestamptz
    order by created_at limit $3::int8
    for update skip locked
), ended as (
    update document_version v set state = 'purged', upload = null, settled_at = ($1::jsonb ->> 'at')::timestamptz
    from past where v.document_id = past.document_id and v.number = past.number
    returning v.document_id, v.number
), objects as (
    update document_object o set state = 'deleted' from ended
    where o.document_id = ended.document_id and o.version = ended.number and o.state <> 'deleted'
), gone as (
    update document d set purged_at = ($1::jsonb ->> 'at')::timestamptz, title = ''
    where d.id in (select document_id from ended) and d.current_version is null
      and not exists (select from document_version v where v.document_id = d.id and v.state <> 'purged'
                      and (v.document_id, v.number) not in (select document_id, number from ended))
), recorded as (
    insert into trace
    select line.* from ended join document d on d.id = ended.document_id,
        entry($1::jsonb, 'delete', 'document.abandon', d.id, d.patient_id) as line
)
select jsonb_build_object('purged', count(*)) from ended
