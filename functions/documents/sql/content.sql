-- Where the bytes of a link are, with all that opens them, if the actor may still see the document; the first look leaves a trace.
-- $1 who   $2 link
with seen as (
    select l.id as link, l.used_at, d.id, d.patient_id, d.title, o.version, o.part, o.key, o.wrapped_key, o.media_type, o.clear_bytes
    from document_link l
    join document d on d.id = l.document_id
    join document_object o on o.document_id = l.document_id and o.version = l.version and o.part = l.part and o.state = 'written'
    where l.id = $2::uuid and l.session_id = ($1::jsonb ->> 'session')::uuid and d.withdrawn_at is null
      and l.expires_at > ($1::jsonb ->> 'at')::timestamptz and document_may($1::jsonb, 'read', d)
), used as (
    update document_link set used_at = ($1::jsonb ->> 'at')::timestamptz from seen
    where document_link.id = seen.link and document_link.used_at is null
    returning seen.id, seen.patient_id
), recorded as (
    insert into trace select line.* from used, entry($1::jsonb, 'read', 'document.content', used.id, used.patient_id) as line
)
select jsonb_build_object(
    'document', seen.id, 'patient', seen.patient_id, 'title', seen.title, 'version', seen.version, 'part', seen.part,
    'key', seen.key, 'object_key', seen.wrapped_key, 'media_type', seen.media_type, 'clear_bytes', seen.clear_bytes,
    'wrapped_key', patient.wrapped_key)
from seen join patient on patient.id = seen.patient_id
