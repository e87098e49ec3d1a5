-- Which mailboxes an event concerns: those of the agenda that a visit is in, and those that have an item for it; or the one that changed.
-- Each is due from now on, so that it is served in any case.
-- $1 event   $2 now
with event as (
    select kind, subject from outbox where id = $1::uuid
), concerned as (
    select m.id from event join appointment a on a.id = event.subject join site on site.id = a.site_id
    join exchange_mailbox m on m.practitioner_id = a.practitioner_id and m.establishment_id = site.establishment_id
    where event.kind like 'appointment.%'
    union
    select l.mailbox_id from event join exchange_link l on l.appointment_id = event.subject where event.kind like 'appointment.%'
    union
    select event.subject from event where event.kind = 'mailbox.changed.v1'
), mine as (
    -- In one order, so that nobody waits for who waits for them.
    select m.id from exchange_mailbox m where m.id in (select id from concerned) and m.state in ('active', 'leaving')
    order by m.id for no key update
), wished as (
    update exchange_mailbox m set
        wishes = m.wishes + 1, write_at = least(m.write_at, $2::text::timestamptz),
        read_at = case when (select kind from event) = 'mailbox.changed.v1'
            then least(m.read_at, $2::text::timestamptz) else m.read_at end
    from mine where m.id = mine.id
    returning m.id
)
select jsonb_build_object('mailbox', id) from wished order by id
