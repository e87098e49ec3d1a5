-- The bytes are not taken, if the lease is still ours. They are to be removed, and whatever was made of them.
-- $1 who   $2 document   $3 version   $4 lease   $5 why, a code
with refused as (
    update document_version v set state = 'refused', refusal = $5::text, settled_at = ($1::jsonb ->> 'at')::timestamptz,
        upload = null, lease = null, lease_until = null
    from document d
    where v.document_id = $2::uuid and v.number = $3::int8 and v.lease = $4::uuid and d.id = v.document_id
    returning v.document_id, v.number, d.patient_id
), removed as (
    update document_object o set state = 'deleted' from refused
    where o.document_id = refused.document_id and o.version = refused.number and o.state <> 'deleted'
    returning o.key
), recorded as (
    insert into trace
    select line.* from refused, entry($1::jsonb, 'update', 'document.refuse', refused.document_id, refused.patient_id) as line
)
select jsonb_build_object('remove', (select coalesce(jsonb_agg(key), '[]') from removed)) from refused
