-- Practitioners that match, in a stable order, each with the agenda from which the first free time is computed.
-- $1 words of a name        $2 specialty, code or everyday word   $3 town, postcode or place name
-- $4 latitude  $5 longitude (text)   $6 radius in km   $7 channel   $8 language   $9 accessibility codes
-- $10 window from  $11 window until   $12 how many   $13 after this (cursor): [online, distance, name, id]
-- $14 only those who may be free on this local day   $15 now   $16 calendars in which that day is a public holiday
--
-- Built to be fast under one generic plan, whatever is given: each way to find candidates has an index of its own and a
-- condition on parameters alone, so that the ways not asked for cost nothing.
with asked as materialized (
    -- Worked out once: within a filter a function of a parameter is worked out for every row.
    select fold($1::text) as name, words, (select word from unnest(words) word order by length(word) desc limit 1) as longest,
           fold($2::text) as specialty, nullif(translate(fold($3::text), '%_\', ''), '') as place,
           $4::text::float8 as lat, $5::text::float8 as lon, $6::text::float8 as km,
           $10::text::timestamptz as from_at, $11::text::timestamptz as until_at, $14::text::date as day
    from (select string_to_array(regexp_replace(fold($1::text), '[%_\\]+', '', 'g'), ' ')) as name (words)
), wanted_specialty as materialized (
    select code from specialty, asked
    where $2::text is not null
      and (lower(code) = lower($2::text) or fold(label_fr) = asked.specialty or fold(label_en) = asked.specialty
           or exists (select from unnest(specialty.words) word where asked.specialty <> '' and starts_with(word, asked.specialty)))
), place as materialized (
    -- A prefix is a range of text_pattern_ops; unlike `like`, it finds its index without knowing the pattern beforehand.
    select site.id, accessibility from asked join site on search_city ~>=~ asked.place and search_city ~<~ (asked.place || chr(1114111))
    where $3::text is not null
    union
    select id, accessibility from site
    where $3::text ~ '^[0-9]{2,5}$' and postal_code ~>=~ $3::text and postal_code ~<~ ($3::text || chr(1114111))
    union
    select site.id, accessibility from asked join site on search_name like '%' || asked.place || '%'
    where $3::text is not null
), near_site as materialized (
    select id, km
    from (select site.id, accessibility, asked.km as radius,
                 6371 * 2 * asin(sqrt(least(1, sin(radians(site.lat - asked.lat) / 2) ^ 2
                     + cos(radians(asked.lat)) * cos(radians(site.lat)) * sin(radians(site.lon - asked.lon) / 2) ^ 2))) as km
          from asked join site on site.lat between asked.lat - asked.km / 111.0 and asked.lat + asked.km / 111.0
           and abs(site.lon - asked.lon) <= asked.km / (111.0 * greatest(0.01, cos(radians(asked.lat))))
          where $4::text is not null) around
    where km <= radius and ($3::text is null or id in (select id from place)) and accessibility @> $9::text[]
    union all
    select id, 0 from place where $4::text is null and accessibility @> $9::text[]
    union all
    select id, 0 from site
    where $3::text is null and $4::text is null and $9::text[] <> '{}' and accessibility @> $9::text[]
), candidate as materialized (
    select practitioner_id as id, min(km) as km
    from near_site join practice on practice.site_id = near_site.id
    where $2::text is null or exists (
        select from practitioner_specialty ps
        where ps.practitioner_id = practice.practitioner_id and ps.specialty_code = any (array(select code from wanted_specialty)))
    group by practitioner_id
    union all
    select distinct practitioner_id, 0::float8 from practitioner_specialty
    where $3::text is null and $4::text is null and $9::text[] = '{}' and $2::text is not null
      and specialty_code = any (array(select code from wanted_specialty))
    union all
    -- Nearly the name, or its longest word anywhere; which of them really match is seen below.
    select id, 0 from asked join practitioner on search_name %> asked.name or search_name like '%' || asked.longest || '%'
    where $3::text is null and $4::text is null and $9::text[] = '{}' and $2::text is null and $1::text is not null
    union all
    (select id, 0 from practitioner
     where $3::text is null and $4::text is null and $9::text[] = '{}' and $2::text is null and $1::text is null
       and active and (select true from practice where practice.practitioner_id = practitioner.id limit 1)
       and ($13::jsonb is null or (not online, sort_name, id)
            > (not ($13::jsonb ->> 0)::bool, $13::jsonb ->> 2, ($13::jsonb ->> 3)::uuid))
     order by not online, sort_name, id
     -- Everybody, unless something more is asked of them.
     limit case when $7::text is null and $8::text is null and $14::text is null then $12::int8 end)
), matching as not materialized (
    select practitioner.id, practitioner.online, not practitioner.online as offline, practitioner.sort_name, candidate.km
    from candidate join practitioner on practitioner.id = candidate.id
    where practitioner.active
      -- Whoever was found by place practises somewhere. (One row by its index, where `exists` may read the whole table.)
      and case when $3::text is null and $4::text is null and $9::text[] = '{}'
          then (select true from practice where practice.practitioner_id = practitioner.id limit 1) else true end
      and ($1::text is null or exists (
           select from asked
           where (select bool_and(practitioner.search_name like '%' || word || '%') from unnest(words) word)
              or name <% practitioner.search_name))
      and ($7::text is null or exists (
           select from reason where reason.practitioner_id = practitioner.id and reason.channel = $7::text and reason.bookable))
      and ($8::text is null or $8::text = any (practitioner.languages))
      and ($14::text is null or practitioner.online)
      and ($13::jsonb is null or (not practitioner.online, candidate.km, practitioner.sort_name, practitioner.id)
           > (not ($13::jsonb ->> 0)::bool, ($13::jsonb ->> 1)::float8, $13::jsonb ->> 2, ($13::jsonb ->> 3)::uuid))
    order by offline, candidate.km, practitioner.sort_name, practitioner.id
    -- Sorted before the calendars are looked at, so that this ends with the last one wanted.
    offset 0
), hit as materialized (
    select id, online, sort_name, km
    from matching
    where $14::text is null or exists (
        -- Somebody who is not there on that day, or has no stretch left for the shortest visit, is not worth reading.
        -- The rest is for the rules: this may let somebody pass, and never holds anybody back.
        select from asked, lateral (
            select range_agg(tstzrange(least(starts, ends), greatest(starts, ends))) as time,
                   -- Next day may go on, or the clocks change.
                   bool_or(o.ends_minute = 1440 or midnight_after - midnight <> interval '24 hours') as unsure
            from opening o join site on site.id = o.site_id, lateral (
                select (asked.day + o.starts_minute * interval '1 minute') at time zone site.time_zone,
                       (asked.day + o.ends_minute * interval '1 minute') at time zone site.time_zone,
                       asked.day::timestamp at time zone site.time_zone,
                       (asked.day + 1)::timestamp at time zone site.time_zone
            ) as local (starts, ends, midnight, midnight_after)
            where o.practitioner_id = matching.id and o.weekday = extract(isodow from asked.day)
              and (o.valid_from is null or o.valid_from <= asked.day) and (o.valid_until is null or asked.day < o.valid_until)
              and site.holidays <> all ($16::text[])
        ) opened
        where opened.unsure
           or exists (select from opening_exception e
                      where e.practitioner_id = matching.id and e.kind = 'open'
                        and e.ends > asked.day and e.starts < asked.day + 1)
           or case when opened.time is null then false else (
                  select bool_or(upper(gap) - lower(gap) >= (
                      select min(reason.duration_minutes) * interval '1 minute' from reason
                      where reason.practitioner_id = matching.id and reason.bookable
                        and ($7::text is null or reason.channel = $7::text)
                        and ($2::text is null or reason.specialty_code in (select code from wanted_specialty))))
                  from unnest(opened.time * tstzmultirange(tstzrange($15::text::timestamptz, null)) - coalesce((
                      select range_agg(r.during) from reservation r
                      where r.resource_id = matching.id and r.active
                        and (r.expires_at is null or r.expires_at > $15::text::timestamptz)
                        and r.during && tstzrange(asked.from_at, asked.until_at)), '{}')) gap) end)
    order by offline, km, sort_name, id
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
        from practice join site on site.id = practice.site_id
        where practice.practitioner_id = practitioner.id
          and (($3::text is null and $4::text is null and $9::text[] = '{}') or site.id in (select id from near_site))),
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
        where e.practitioner_id = practitioner.id and practitioner.online
          and e.ends >= ($10::text::timestamptz at time zone 'UTC') - interval '1 day'
          and e.starts <= ($11::text::timestamptz at time zone 'UTC') + interval '1 day'),
    'busy', (
        -- Touching times become one: full weeks are a few rows.
        select coalesce(jsonb_agg(jsonb_build_array(
            date_part('epoch', lower(span))::int8, date_part('epoch', upper(span))::int8)), '[]')
        from unnest((
            select range_agg(r.during) from reservation r
            where r.resource_id = practitioner.id and r.active
              and (r.expires_at is null or r.expires_at > $15::text::timestamptz)
              and r.during && tstzrange($10::text::timestamptz - interval '1 day', $11::text::timestamptz + interval '1 day')
        )) span)))
from hit join practitioner on practitioner.id = hit.id
order by not hit.online, hit.km, hit.sort_name, hit.id
