-- Remembers what the store calls an upload in parts, unless it is called something already.
-- $1 document   $2 version   $3 its name
with named as (
    update document_version set upload_name = coalesce(upload_name, $3::text)
    where document_id = $1::uuid and number = $2::int8 and state = 'awaiting_upload'
    returning upload_name
)
select jsonb_build_object('name', upload_name) from named
