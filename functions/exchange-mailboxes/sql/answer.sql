-- Ours stands: it is written again, made anew or looked at again. Whoever has the mailbox sees to it. No row: nothing is asked.
-- $1 who   $2 mailbox   $3 appointment
with mine as (
    select m.id from mailbox_of($1::jsonb, 'update', $2::uuid) m
), answered as (
    update exchange_link l set answer = 'keep' from mine
    where l.mailbox_id = mine.id and l.appointment_id = $3::uuid
      and (l.asked_since is not null or l.rests_until > ($1::jsonb ->> 'at')::timestamptz)
    returning l.mailbox_id, l.appointment_id
), wished as (
    update exchange_mailbox m set wishes = m.wishes + 1, read_at = least(m.read_at, ($1::jsonb ->> 'at')::timestamptz)
    from answered where m.id = answered.mailbox_id
    returning m.id
), said as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'mailbox.changed.v1', wished.id, jsonb_build_object('mailbox', wished.id), ($1::jsonb ->> 'at')::timestamptz from wished
), recorded as (
    insert into trace
    select line.* from answered, entry($1::jsonb, 'update', 'mailbox.answer', answered.appointment_id, null) as line
)
select jsonb_build_object('appointment', appointment_id) from answered
