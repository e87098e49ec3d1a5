-- Our side of a mailbox, as far as a window goes. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 window from   $5 window until
with mine as (
    select * from exchange_mailbox
    where id = $1::uuid and lease = $2::uuid and lease_until > $3::text::timestamptz
), wanted as (
    select a.id, a.starts_at, a.ends_at, site.time_zone, site.name
    from mine join appointment a on a.practitioner_id = mine.practitioner_id
    join site on site.id = a.site_id and site.establishment_id = mine.establishment_id
    where mine.state = 'active' and a.status = 'booked'
      and a.starts_at < $5::text::timestamptz and a.ends_at > $4::text::timestamptz
), link as (
    select l.* from mine join exchange_link l on l.mailbox_id = mine.id
    -- Who leaves takes everything away, also what is over.
    where mine.state = 'leaving' or l.appointment_id in (select id from wanted) or l.agreed is null
       or (l.agreed ->> 'ends_at')::timestamptz > $4::text::timestamptz
)
select jsonb_build_object(
    'cursor', case when not mine.resync and mine.window_from = $4::text::timestamptz then mine.cursor end,
    'links', (select coalesce(jsonb_agg(jsonb_build_object(
        'appointment', appointment_id, 'generation', generation, 'remote', remote_id, 'version', version,
        'agreed', agreed, 'state', state, 'overwrites', overwrites, 'kept', answer is not null,
        'rests', rests_until > $3::text::timestamptz)), '[]') from link),
    'wanted', (select coalesce(jsonb_agg(jsonb_build_object(
        'appointment', wanted.id, 'starts_at', wanted.starts_at, 'ends_at', wanted.ends_at, 'time_zone', wanted.time_zone,
        'location', wanted.name) order by wanted.starts_at, wanted.id), '[]') from wanted),
    'blocks', (select coalesce(jsonb_agg(jsonb_build_object(
        'id', remote_id, 'series', series_id, 'starts_at', starts_at, 'ends_at', ends_at)), '[]')
        from exchange_block where mailbox_id = mine.id),
    'siblings', (select coalesce(jsonb_agg(l.remote_id), '[]')
        from exchange_mailbox other join exchange_link l on l.mailbox_id = other.id
        -- What one that was left has left there is taken up by whoever comes after.
        where other.address_lookup = mine.address_lookup and other.id <> mine.id and other.state <> 'left' and l.remote_id is not null))
from mine
