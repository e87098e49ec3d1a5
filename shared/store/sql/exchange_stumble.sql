-- An item was refused: it rests, twice as long each time. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 appointment   $5 generation   $6 fault   $7 seconds of the first rest   $8 seconds of the longest
with mine as (
    select id from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz)
), kept as (
    insert into exchange_link (mailbox_id, appointment_id, generation, state, failures, fault, rests_until)
    select mine.id, $4::uuid, $5::int8, '"making"', 1, $6::text, $3::text::timestamptz + make_interval(secs => $7::int8)
    from mine
    on conflict on constraint exchange_link_pkey do update set
        failures = exchange_link.failures + 1, fault = excluded.fault,
        rests_until = $3::text::timestamptz
            + make_interval(secs => least($8::int8, $7::int8 * 2 ^ least(exchange_link.failures, 20)))
    returning mailbox_id
)
select jsonb_build_object('mailbox', mailbox_id) from kept
