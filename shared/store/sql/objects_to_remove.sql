-- Bytes of documents that are to be removed and are not yet, and what the store calls the upload of those that never came whole.
-- $1 how many at most   $2 after which name
select jsonb_build_object('key', o.key, 'upload', case when o.part = 'staging' then v.upload_name end)
from document_object o join document_version v on v.document_id = o.document_id and v.number = o.version
where o.state = 'deleted' and o.deleted_at is null and o.key > $2::text
order by o.key limit $1::int8
