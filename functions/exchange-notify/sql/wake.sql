-- Makes mailboxes due that were told to have changed, where what is told comes with what only their server knows, and says so to who looks.
-- $1 now   $2 [{watch, secret, lost}]
with told as (
    select t.watch, t.secret, bool_or(t.lost) as lost
    from jsonb_to_recordset($2::jsonb) as t (watch text, secret text, lost boolean) group by t.watch, t.secret
), mine as (
    select m.id, told.lost from told join exchange_mailbox m on m.watch = told.watch and m.watch_secret = told.secret
    where m.state = 'active' order by m.id for no key update of m
), woken as (
    update exchange_mailbox m set
        wishes = m.wishes + 1, read_at = least(m.read_at, $1::text::timestamptz),
        -- What watches no more is made anew.
        watch_until = case when mine.lost then $1::text::timestamptz else m.watch_until end
    from mine where m.id = mine.id
    returning m.id
), said as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'mailbox.changed.v1', id, jsonb_build_object('mailbox', id), $1::text::timestamptz from woken
)
select jsonb_build_object('woken', count(*)) from woken
