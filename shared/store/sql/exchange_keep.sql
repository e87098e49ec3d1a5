-- Writes down links as they are. What they stumbled over is forgotten. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 [{appointment, generation, remote, version, agreed, state, asked, overwrites}]
with mine as (
    select id from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz)
), kept as (
    insert into exchange_link (mailbox_id, appointment_id, generation, remote_id, version, agreed, state, asked_since, overwrites)
    select mine.id, (link ->> 'appointment')::uuid, (link ->> 'generation')::integer, link ->> 'remote',
           link ->> 'version', nullif(link -> 'agreed', 'null'), link -> 'state',
           case when (link ->> 'asked')::boolean then $3::text::timestamptz end, (link ->> 'overwrites')::integer
    from mine, jsonb_array_elements($4::jsonb) link
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
select jsonb_build_object('mailbox', id) from mine
