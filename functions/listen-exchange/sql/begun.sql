-- The subscriptions of a connection are there. A mailbox that has a new one is due: what happened before it was told to nobody.
-- $1 connection   $2 now   $3 [{mailbox, watch, anew}]   $4 until when changes are told of at least
with told as (
    select t.mailbox, t.watch, t.anew from jsonb_to_recordset($3::jsonb) as t (mailbox uuid, watch text, anew boolean)
), mine as (
    select m.id, told.watch, told.anew and m.state = 'active' as due from told join exchange_mailbox m on m.id = told.mailbox
    where m.listener = $1::uuid order by m.id for no key update of m
), begun as (
    update exchange_mailbox m set
        watch = mine.watch, watch_until = $4::text::timestamptz, wishes = m.wishes + mine.due::integer,
        read_at = case when mine.due then least(m.read_at, $2::text::timestamptz) else m.read_at end
    from mine where m.id = mine.id
    returning m.id, mine.due
), said as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'mailbox.changed.v1', id, jsonb_build_object('mailbox', id), $2::text::timestamptz from begun where due
)
select jsonb_build_object('begun', count(*), 'woken', count(*) filter (where due)) from begun
