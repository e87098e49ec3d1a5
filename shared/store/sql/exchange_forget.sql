-- Neither side has it any more. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 appointment
with mine as (
    select id from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz)
), forgotten as (
    delete from exchange_link using mine where mailbox_id = mine.id and appointment_id = $4::uuid
)
select jsonb_build_object('mailbox', id) from mine
