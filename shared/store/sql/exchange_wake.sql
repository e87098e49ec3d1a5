-- Makes a mailbox due: what it shows is not what was known, or it did not answer and that is counted.
-- $1 mailbox   $2 now   $3 whether it is counted
with woken as (
    update exchange_mailbox m set
        wishes = m.wishes + 1, read_at = least(m.read_at, $2::text::timestamptz), unasked = m.unasked + $3::bool::integer
    where m.id = $1::uuid and m.state = 'active'
    returning m.id
), said as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'mailbox.changed.v1', id, jsonb_build_object('mailbox', id), $2::text::timestamptz from woken
)
select jsonb_build_object('mailbox', id) from woken
