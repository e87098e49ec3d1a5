-- Ends the work on a mailbox and says when it is due again. A wish that came meanwhile stays one. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 {read_at, write_at, rests_until, wishes, resync, read, fault, code, report, left,
-- watch: {id, until, secret}}
with settled as (
    update exchange_mailbox m set
        lease = null, lease_until = null,
        read_at = case when m.wishes > ($4::jsonb ->> 'wishes')::int8 then m.read_at
            else coalesce(($4::jsonb ->> 'read_at')::timestamptz, m.read_at) end,
        write_at = case when m.wishes > ($4::jsonb ->> 'wishes')::int8 then m.write_at else ($4::jsonb ->> 'write_at')::timestamptz end,
        -- Wished for while this turn was under way, it is still to be done.
        resync = m.resync and not (($4::jsonb ->> 'read')::boolean and ($4::jsonb ->> 'resync')::boolean),
        read_last_at = case when ($4::jsonb ->> 'read')::boolean then $3::text::timestamptz else m.read_last_at end,
        unasked = case when ($4::jsonb ->> 'read')::boolean then 0 else m.unasked end,
        rests_until = ($4::jsonb ->> 'rests_until')::timestamptz,
        failing_since = case when $4::jsonb ->> 'fault' is null then null
            else coalesce(m.failing_since, $3::text::timestamptz) end,
        failures = case when $4::jsonb ->> 'fault' is null then 0 else m.failures + 1 end,
        fault = $4::jsonb ->> 'fault', fault_code = $4::jsonb ->> 'code',
        watch = coalesce($4::jsonb -> 'watch' ->> 'id', m.watch),
        watch_until = coalesce(($4::jsonb -> 'watch' ->> 'until')::timestamptz, m.watch_until),
        watch_secret = coalesce($4::jsonb -> 'watch' ->> 'secret', m.watch_secret),
        report = coalesce(nullif($4::jsonb -> 'report', 'null'), m.report),
        state = case when ($4::jsonb ->> 'left')::boolean then 'left' else m.state end
    from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz) mine where m.id = mine.id
    returning m.id
), freed as (
    -- Who has left takes no time of anybody's.
    delete from exchange_block b using settled where b.mailbox_id = settled.id and ($4::jsonb ->> 'left')::boolean
)
select jsonb_build_object('mailbox', id) from settled
