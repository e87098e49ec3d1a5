-- Writes down a link as it is. What it stumbled over is forgotten. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 {appointment, generation, remote, version, agreed, state, asked, overwrites}
with mine as (
    select id from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz)
), kept as (
    insert into exchange_link (mailbox_id, appointment_id, generation, remote_id, version, agreed, state, asked_since, overwrites)
    select mine.id, ($4::jsonb ->> 'appointment')::uuid, ($4::jsonb ->> 'generation')::integer, $4::jsonb ->> 'remote',
           $4::jsonb ->> 'version', nullif($4::jsonb -> 'agreed', 'null'), $4::jsonb -> 'state',
           case when ($4::jsonb ->> 'asked')::boolean then $3::text::timestamptz end, ($4::jsonb ->> 'overwrites')::integer
    from mine
    on conflict on constraint exchange_link_pkey do update set
        generation = excluded.generation, remote_id = excluded.remote_id, version = excluded.version, agreed = excluded.agreed,
        state = excluded.state,
        -- Answered meanwhile, it is not asked for nothing.
        answer = case when exchange_link.state = excluded.state then exchange_link.answer end,
        overwrites = excluded.overwrites, failures = 0, fault = null, rests_until = null,
        asked_since = case when excluded.asked_since is null then null
            when exchange_link.state = excluded.state then coalesce(exchange_link.asked_since, excluded.asked_since)
            else excluded.asked_since end
    returning mailbox_id
)
select jsonb_build_object('mailbox', mailbox_id) from kept
