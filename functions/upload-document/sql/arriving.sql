-- Takes a lease on making one file of the parts of an upload: one who completes at a time, or the store would take parts away from
-- under the other. Nothing when somebody else is at it, or it is done.
-- $1 document   $2 version   $3 lease   $4 now   $5 lease until
with taken as (
    update document_version set lease = $3::uuid, lease_until = $5::text::timestamptz
    where document_id = $1::uuid and number = $2::int8 and state = 'awaiting_upload'
      and (lease_until is null or lease_until <= $4::text::timestamptz)
    returning 1
)
select jsonb_build_object('taken', count(*)) from taken
