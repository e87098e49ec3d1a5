-- Practitioners that match, in a stable order, each with the agenda from which the first free time is computed.
-- $1 words of a name        $2 specialty, code or everyday word   $3 town, postcode or place name
-- $4 latitude  $5 longitude (text)   $6 radius in km   $7 channel   $8 language   $9 accessibility codes
-- $10 window from  $11 window until   $12 how many   $13 after this (cursor): [online, distance, name, id]
-- $14 only those who may be free in the window   $15 now
with wanted_specialty as materialized (
    select code from specialty
    where $2::text is not null
      and (lower(code) = lower($2::text) or fold(label_fr) = fold($2::text) or fold(label_en) = fold($2::text)
           or exists (select from unnest(words) word where word like replace(replace(fold($2::text), '%', ''), '_', '') || '%'))
), wanted_site as materialized (
    select site.id,
           case when $4::text is null then 0 else 6371 * 2 * asin(sqrt(least(1,
               sin(radians(lat - $4::text::float8) / 2) ^ 2
               + cos(radians($4::text::float8)) * cos(radians(lat)) * sin(radians(lon - $5::text::float8) / 2) ^ 2))) end as km
    from site
    where ($3::text is null
           or search_city like replace(replace(fold($3::text), '%', ''), '_', '') || '%'
           or ($3::text ~ '^[0-9]{2,5}$' and postal_code like $3::text || '%')
           or search_name like '%' || replace(replace(fold($3::text), '%', ''), '_', '') || '%')
      and ($4::text is null or (
           lat between $4::text::float8 - $6::text::float8 / 111.0 and $4::text::float8 + $6::text::float8 / 111.0
           and abs(lon - $5::text::float8) <= $6::text::float8 / (111.0 * greatest(0.01, cos(radians($4::text::float8))))))
      and ($9::text[] = '{}' or accessibility @> $9::text[])
), near_site as materialized (
    select id, km from wanted_site where $4::text is null or km <= $6::text::float8
), hit as materialized (
    select practitioner.id, practitioner.online, practitioner.sort_name, place.km
    from practitioner
    join lateral (
        select min(near_site.km) as km from practice join near_site on near_site.id = practice.site_id
        where practice.practitioner_id = practitioner.id
    ) place on place.km is not null
    where practitioner.active
      and ($1::text is null
           or (select bool_and(practitioner.search_name like '%' || word || '%')
               from unnest(string_to_array(regexp_replace(fold($1::text), '[%_\\]+', '', 'g'), ' ')) word)
           or fold($1::text) <% practitioner.search_name)
      and ($2::text is null or exists (
           select from practitioner_specialty ps
           where ps.practitioner_id = practitioner.id and ps.specialty_code in (select code from wanted_specialty)))
      and ($7::text is null or exists (
           select from reason where reason.practitioner_id = practitioner.id and reason.channel = $7::text and reason.bookable))
      and ($8::text is null or $8::text = any (practitioner.languages))
      and (not $14::bool or (practitioner.online and (
           -- Somebody whose week has no opening on these days, or whose days are full, is not worth reading.
           exists (select from opening_exception e
                   where e.practitioner_id = practitioner.id and e.kind = 'open'
                     and e.ends >= ($10::text::timestamptz at time zone 'UTC') - interval '1 day'
                     and e.starts <= ($11::text::timestamptz at time zone 'UTC') + interval '1 day')
           or (select coalesce(sum(o.ends_minute - o.starts_minute), 0)
               from generate_series(($10::text::timestamptz at time zone 'UTC')::date - 1,
                                    ($11::text::timestamptz at time zone 'UTC')::date + 1, interval '1 day') day
               join opening o on o.practitioner_id = practitioner.id and o.weekday = extract(isodow from day))
              > (select coalesce(sum(extract(epoch from upper(r.during * span) - lower(r.during * span))) / 60, 0)
                 from reservation r, tstzrange($10::text::timestamptz, $11::text::timestamptz) span
                 where r.resource_id = practitioner.id and r.active and r.during && span))))
      and ($13::jsonb is null or (not practitioner.online, place.km, practitioner.sort_name, practitioner.id)
           > (not ($13::jsonb ->> 0)::bool, ($13::jsonb ->> 1)::float8, $13::jsonb ->> 2, ($13::jsonb ->> 3)::uuid))
    order by not practitioner.online, place.km, practitioner.sort_name, practitioner.id
    limit $12::int8
)
select jsonb_build_object(
    'id', practitioner.id,
    'name', concat_ws(' ', nullif(practitioner.title, ''), practitioner.given_name, practitioner.family_name),
    'cursor', jsonb_build_array(hit.online, hit.km, hit.sort_name, hit.id),
    'distance_km', case when $4::text is null then null else hit.km end,
    'languages', practitioner.languages,
    'specialties', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'code', specialty.code, 'label_fr', specialty.label_fr, 'label_en', specialty.label_en) order by specialty.code), '[]')
        from practitioner_specialty ps join specialty on specialty.code = ps.specialty_code
        where ps.practitioner_id = practitioner.id),
    'sites', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', site.id, 'name', site.name, 'address_line', site.address_line, 'city', site.city,
            'postal_code', site.postal_code, 'lat', site.lat, 'lon', site.lon, 'time_zone', site.time_zone,
            'accessibility', site.accessibility) order by site.name, site.id), '[]')
        from practice join site on site.id = practice.site_id where practice.practitioner_id = practitioner.id),
    'agenda', jsonb_build_object(
    'practitioner', practitioner.id,
    'sites', (
        select coalesce(jsonb_agg(jsonb_build_object('id', site.id, 'time_zone', site.time_zone, 'holidays', site.holidays)), '[]')
        from practice join near_site on near_site.id = practice.site_id join site on site.id = practice.site_id
        where practice.practitioner_id = practitioner.id),
    'reasons', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', reason.id, 'channel', reason.channel, 'duration_minutes', reason.duration_minutes, 'buffer_before_minutes', reason.buffer_before_minutes,
            'buffer_after_minutes', reason.buffer_after_minutes, 'step_minutes', reason.step_minutes,
            'notice_minutes', reason.notice_minutes, 'horizon_days', reason.horizon_days) order by reason.position, reason.id), '[]')
        from reason
        where reason.practitioner_id = practitioner.id and reason.bookable
          and ($7::text is null or reason.channel = $7::text)
          and ($2::text is null or reason.specialty_code in (select code from wanted_specialty))),
    'openings', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'site', o.site_id, 'reasons', o.reason_ids, 'weekday', o.weekday, 'starts_minute', o.starts_minute,
            'ends_minute', o.ends_minute, 'valid_from', o.valid_from, 'valid_until', o.valid_until)), '[]')
        from opening o where o.practitioner_id = practitioner.id and practitioner.online),
    'exceptions', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'site', e.site_id, 'kind', e.kind, 'reasons', e.reason_ids, 'starts', e.starts, 'ends', e.ends)), '[]')
        from opening_exception e
        where e.practitioner_id = practitioner.id
          and e.ends >= ($10::text::timestamptz at time zone 'UTC') - interval '1 day'
          and e.starts <= ($11::text::timestamptz at time zone 'UTC') + interval '1 day'),
    'busy', (
        select coalesce(jsonb_agg(jsonb_build_array(
            extract(epoch from lower(r.during))::int8, extract(epoch from upper(r.during))::int8)), '[]')
        from reservation r
        where r.resource_id = practitioner.id and r.active
          and (r.expires_at is null or r.expires_at > $15::text::timestamptz)
          and r.during && tstzrange($10::text::timestamptz - interval '1 day', $11::text::timestamptz + interval '1 day'))))
from hit join practitioner on practitioner.id = hit.id
order by not hit.online, hit.km, hit.sort_name, hit.id
