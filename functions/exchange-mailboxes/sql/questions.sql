-- What is asked of the staff for a mailbox, the longest first, and the trace of the reading. No row: no such mailbox.
-- $1 who   $2 mailbox
with seen as (
    select m.id from mailbox_of($1::jsonb, 'read', $2::uuid) m
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'mailbox.questions', seen.id, null) as line
)
select jsonb_build_object('items', (
    select coalesce(jsonb_agg(jsonb_build_object(
        'appointment', a.id, 'starts_at', a.starts_at, 'ends_at', a.ends_at, 'state', l.state, 'since', l.asked_since,
        'fault', l.fault, 'rests_until', l.rests_until, 'answered', l.answer is not null) order by l.asked_since nulls last, a.starts_at, a.id), '[]')
    from exchange_link l join appointment a on a.id = l.appointment_id
    where l.mailbox_id = seen.id and (l.asked_since is not null or l.rests_until > ($1::jsonb ->> 'at')::timestamptz)))
from seen
