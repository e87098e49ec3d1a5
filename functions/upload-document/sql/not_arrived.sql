-- Gives a lease back: something is missing still.
-- $1 document   $2 version   $3 lease
with given_back as (
    update document_version set lease = null, lease_until = null
    where document_id = $1::uuid and number = $2::int8 and lease = $3::uuid and state = 'awaiting_upload'
    returning 1
)
select jsonb_build_object('given_back', count(*)) from given_back
