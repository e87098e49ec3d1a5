-- The visits of a feed as its owner may see them at this instant, and nothing of them but when they are. The first reading of a
-- day (UTC) leaves a trace for each patient of a family's feed, one for a practitioner's: programs ask every few minutes.
-- $1 who asks: nobody, when and from where   $2 hash of the token   $3 from   $4 until   $5 cancelled since   $6 how many
with feed as materialized (
    select f.id, f.account_id, f.membership_id, f.patient_id, account.language, calendar_reader(f, $1::jsonb) as reader
    from calendar_feed f join account on account.id = f.account_id
    where f.hash = $2::text and f.revoked_at is null
), candidate as materialized (
    -- Found by what its owner has to do with them; whether that is enough is for the policy to say.
    select a.* from feed
    join guardianship g on g.account_id = feed.account_id and (feed.patient_id is null or g.patient_id = feed.patient_id)
    join appointment a on a.patient_id = g.patient_id
    where feed.membership_id is null
      and a.starts_at >= $3::text::timestamptz and a.starts_at < $4::text::timestamptz
      and (a.status = 'booked' or (a.status = 'cancelled' and a.cancelled_at > $5::text::timestamptz))
    union all
    select a.* from feed join appointment a on a.practitioner_id = (feed.reader ->> 'practitioner')::uuid
    where feed.membership_id is not null
      and a.starts_at >= $3::text::timestamptz and a.starts_at < $4::text::timestamptz
      and (a.status = 'booked' or (a.status = 'cancelled' and a.cancelled_at > $5::text::timestamptz))
), allowed as materialized (
    -- What its owner may is asked once for each patient, practitioner and place, not for each visit.
    select whose.* from feed, (select distinct patient_id, practitioner_id, site_id from candidate) whose
    join site on site.id = whose.site_id
    where may(feed.reader, 'appointment', 'read', whose.patient_id, whose.practitioner_id, site.establishment_id)
), seen as materialized (
    select candidate.* from feed, candidate
    join allowed on allowed.patient_id = candidate.patient_id and allowed.practitioner_id = candidate.practitioner_id
        and allowed.site_id = candidate.site_id
    where not hidden(feed.reader, candidate::appointment)
    -- Of an agenda with more than anybody scrolls through, those that are nearest.
    order by abs(extract(epoch from candidate.starts_at - ($1::jsonb ->> 'at')::timestamptz)), candidate.id
    limit $6::int8
), marked as (
    update calendar_feed f set last_read_on = (($1::jsonb ->> 'at')::timestamptz at time zone 'UTC')::date
    from feed
    where f.id = feed.id and feed.reader is not null
      and (f.last_read_on is null or f.last_read_on < (($1::jsonb ->> 'at')::timestamptz at time zone 'UTC')::date)
    returning f.id, f.membership_id, feed.reader
), recorded as (
    insert into trace
    select line.* from marked cross join lateral (
        select distinct seen.patient_id from seen where marked.membership_id is null
        union all
        select null::uuid where marked.membership_id is not null or not exists (select from seen)
    ) of_whom, entry(marked.reader, 'read', 'calendar-feed.read', marked.id, of_whom.patient_id) as line
)
select jsonb_build_object('language', feed.language, 'events', (
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', seen.id, 'version', seen.version, 'cancelled', seen.status = 'cancelled',
        'starts_at', seen.starts_at, 'ends_at', seen.ends_at, 'time_zone', site.time_zone,
        'changed_at', greatest(seen.agreed_at, seen.cancelled_at)) order by seen.starts_at, seen.id), '[]')
    from seen join site on site.id = seen.site_id))
from feed
