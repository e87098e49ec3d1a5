-- Takes a lease on mailboxes that are due, the longest waiting first; with a mailbox named, on that one if it is free.
-- $1 lease   $2 now   $3 lease until   $4 how many at most   $5 mailbox (null: any)
with due as (
    select m.id from exchange_mailbox m
    where m.state in ('active', 'leaving') and (m.rests_until is null or m.rests_until <= $2::text::timestamptz)
      and (m.lease_until is null or m.lease_until <= $2::text::timestamptz)
      and case when $5::uuid is null
            then least(m.read_at, m.write_at) <= $2::text::timestamptz
            else m.id = $5::uuid end
    order by least(m.read_at, m.write_at), m.id
    limit $4::int8
    for update skip locked
), claimed as (
    update exchange_mailbox m set lease = $1::uuid, lease_until = $3::text::timestamptz
    from due where m.id = due.id
    returning m.*
)
select jsonb_build_object(
    'id', claimed.id, 'server', server.id, 'kind', server.kind, 'wrapped_key', server.wrapped_key, 'settings', server.settings,
    'address', claimed.address, 'state', claimed.state, 'wishes', claimed.wishes, 'resync', claimed.resync,
    'reads', claimed.read_at <= $2::text::timestamptz,
    'rules', jsonb_build_object('tentative', claimed.tentative_blocks, 'follow_moves', claimed.follow_moves),
    'establishment', claimed.establishment_id,
    'time_zone', (select site.time_zone from practice join site on site.id = practice.site_id
        where practice.practitioner_id = claimed.practitioner_id and site.establishment_id = claimed.establishment_id
        order by site.id limit 1),
    'failures', claimed.failures, 'failing_since', claimed.failing_since,
    'watch', claimed.watch, 'watch_until', claimed.watch_until)
from claimed join exchange_server server on server.id = claimed.server_id
