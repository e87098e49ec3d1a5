-- A version that was found to be sound, and whose sealed bytes are written, becomes visible, if the lease is still ours. What
-- came in clear is to be removed.
-- $1 who   $2 document   $3 version   $4 lease   $5 {media_type, findings, pages, scanner, signatures_at}
with said as (
    select * from jsonb_to_record($5::jsonb) as s (media_type text, findings text[], pages integer, scanner text, signatures_at timestamptz)
), sound as (
    update document_version v set state = 'available', settled_at = ($1::jsonb ->> 'at')::timestamptz, upload = null,
        lease = null, lease_until = null, media_type = said.media_type, findings = said.findings, pages = said.pages,
        scanner = said.scanner, signatures_at = said.signatures_at
    from said
    where v.state in ('checking', 'quarantined')
      and v.document_id = $2::uuid and v.number = $3::int8 and v.lease = $4::uuid
    returning v.document_id, v.number
), shown as (
    update document d set current_version = greatest(coalesce(d.current_version, 0), sound.number), revision = d.revision + 1
    from sound where d.id = sound.document_id
    returning d.id, d.patient_id, sound.number
), written as (
    update document_object o set state = case when o.part = 'staging' then 'deleted' else 'written' end
    from sound
    where o.document_id = sound.document_id and o.version = sound.number and o.state <> 'deleted'
    returning o.key, o.state
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'document.available.v1', id, jsonb_build_object('document', id, 'version', number), ($1::jsonb ->> 'at')::timestamptz
    from shown
), recorded as (
    insert into trace
    select line.* from shown, entry($1::jsonb, 'update', 'document.available', shown.id, shown.patient_id) as line
)
select jsonb_build_object('remove', (select coalesce(jsonb_agg(key), '[]') from written where state = 'deleted')) from shown
