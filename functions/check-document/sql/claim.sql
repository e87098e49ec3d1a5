-- Takes a lease on a version that is to be judged, with all that is needed for it; how it stands, if it is not.
-- $1 document   $2 version   $3 lease   $4 now   $5 lease until
with due as (
    select document_id, number from document_version
    where document_id = $1::uuid and number = $2::int8 and state in ('checking', 'quarantined')
      and (lease_until is null or lease_until <= $4::text::timestamptz)
    for update skip locked
), claimed as (
    update document_version v set lease = $3::uuid, lease_until = $5::text::timestamptz, attempts = attempts + 1
    from due where v.document_id = due.document_id and v.number = due.number
    returning v.*
)
select jsonb_build_object('settled', v.state not in ('checking', 'quarantined'), 'work', (
    select jsonb_build_object(
        'document', claimed.document_id, 'version', claimed.number, 'patient', d.patient_id,
        'wrapped_key', patient.wrapped_key, 'media_type', claimed.media_type, 'size_bytes', claimed.size_bytes,
        'content_hash', claimed.content_hash, 'completed_at', claimed.completed_at, 'attempts', claimed.attempts,
        'staging', (select key from document_object o where o.document_id = claimed.document_id
                    and o.version = claimed.number and o.part = 'staging' and o.state <> 'deleted'))
    from claimed join document d on d.id = claimed.document_id join patient on patient.id = d.patient_id))
from document_version v where v.document_id = $1::uuid and v.number = $2::int8
