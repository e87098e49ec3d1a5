-- Takes up mailboxes of one server that nobody listens to, as many as one connection hears of, if the server bears one more connection.
-- $1 connection   $2 now   $3 until when it is ours   $4 mailboxes at most   $5 connections to a server at most
with free as (
    select m.id, m.server_id from exchange_mailbox m join exchange_server s on s.id = m.server_id
    where s.kind = 'ews' and m.state = 'active'
      and (m.listener is null or m.listener_until <= $2::text::timestamptz)
      and (m.listen_at is null or m.listen_at <= $2::text::timestamptz)
      and (m.rests_until is null or m.rests_until <= $2::text::timestamptz)
), bearing as (
    -- One of those who look at the same moment has the server, the others look again.
    select s.id, s.wrapped_key, s.settings from exchange_server s
    where s.id in (select server_id from free)
      and $5::int8 > (select count(distinct m.listener) from exchange_mailbox m
                      where m.server_id = s.id and m.listener_until > $2::text::timestamptz)
    order by s.id limit 1
    for no key update skip locked
), mine as (
    select m.id from exchange_mailbox m join bearing on bearing.id = m.server_id
    where m.id in (select id from free)
      and (m.listener is null or m.listener_until <= $2::text::timestamptz)
    order by m.id limit $4::int8
    for no key update of m skip locked
), taken as (
    update exchange_mailbox m set
        listener = $1::uuid, listener_until = $3::text::timestamptz,
        -- Who had it before and was cut off may have been told what nobody knows now.
        watch = case when m.listener is null then m.watch end
    from mine where m.id = mine.id
    returning m.id, m.server_id, m.address, m.watch
)
select jsonb_build_object('mailbox', taken.id, 'server', bearing.id, 'wrapped_key', bearing.wrapped_key, 'settings', bearing.settings,
    'address', taken.address, 'watch', taken.watch)
from taken join bearing on bearing.id = taken.server_id
order by taken.id
