-- Makes mailboxes due whose calendars changed, and says so to who looks.
-- $1 now   $2 [mailbox]
with mine as (
    select m.id from exchange_mailbox m
    where m.id in (select mailbox::uuid from jsonb_array_elements_text($2::jsonb) mailbox) and m.state = 'active'
    order by m.id for no key update
), woken as (
    update exchange_mailbox m set wishes = m.wishes + 1, read_at = least(m.read_at, $1::text::timestamptz)
    from mine where m.id = mine.id
    returning m.id
), said as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'mailbox.changed.v1', id, jsonb_build_object('mailbox', id), $1::text::timestamptz from woken
)
select jsonb_build_object('woken', count(*)) from woken
