-- Moves a visit to where its item is, as anybody's move is made, and writes down the link with it. False: the visit is not what it was when
-- that was decided. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 who   $5 the decided wish   $6 {version, agreed}
with mine as (
    select id from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz)
), moved as (
    select mine.id, move_appointment($4::jsonb, $5::jsonb) is not null as followed from mine
), kept as (
    update exchange_link l set
        version = $6::jsonb ->> 'version', agreed = $6::jsonb -> 'agreed', state = '"linked"', asked_since = null, answer = null,
        failures = 0, fault = null, rests_until = null
    from moved where moved.followed and l.mailbox_id = moved.id and l.appointment_id = ($5::jsonb ->> 'appointment')::uuid
)
select jsonb_build_object('followed', followed) from moved
