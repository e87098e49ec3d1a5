-- Makes a lease longer while work goes on.
-- $1 document   $2 version   $3 lease   $4 lease until
with renewed as (
    update document_version set lease_until = $4::text::timestamptz
    where document_id = $1::uuid and number = $2::int8 and lease = $3::uuid
    returning 1
)
select jsonb_build_object('renewed', count(*)) from renewed
