-- The agenda of one practitioner over a window.
-- $1 practitioner   $2 window from   $3 window until   $4 now   $5 specialty, code or everyday word
-- $6 town, postcode or place name
select jsonb_build_object(
    'practitioner', practitioner.id,
    'sites', (
        select coalesce(jsonb_agg(jsonb_build_object('id', site.id, 'time_zone', site.time_zone, 'holidays', site.holidays)), '[]')
        from practice join site on site.id = practice.site_id
        where practice.practitioner_id = practitioner.id
          and ($6::text is null or fold($6::text) <> '' and (
               starts_with(search_city, fold($6::text)) or starts_with(postal_code, $6::text)
               or position(fold($6::text) in search_name) > 0))),
    'reasons', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', reason.id, 'channel', reason.channel, 'duration_minutes', reason.duration_minutes, 'buffer_before_minutes', reason.buffer_before_minutes,
            'buffer_after_minutes', reason.buffer_after_minutes, 'step_minutes', reason.step_minutes,
            'notice_minutes', reason.notice_minutes, 'horizon_days', reason.horizon_days) order by reason.position, reason.id), '[]')
        from reason
        where reason.practitioner_id = practitioner.id and reason.bookable and practitioner.online
          and ($5::text is null or exists (
               select from specialty
               where specialty.code = reason.specialty_code
                 and (lower(code) = lower($5::text) or fold(specialty.label_fr) = fold($5::text) or fold(specialty.label_en) = fold($5::text)
                      or exists (select from unnest(words) word
                                 where fold($5::text) <> '' and starts_with(word, fold($5::text))))))),
    'openings', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'site', o.site_id, 'reasons', o.reason_ids, 'weekday', o.weekday, 'starts_minute', o.starts_minute,
            'ends_minute', o.ends_minute, 'valid_from', o.valid_from, 'valid_until', o.valid_until)), '[]')
        from opening o where o.practitioner_id = practitioner.id),
    'exceptions', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'site', e.site_id, 'kind', e.kind, 'reasons', e.reason_ids, 'starts', e.starts, 'ends', e.ends)), '[]')
        from opening_exception e
        where e.practitioner_id = practitioner.id
          and e.ends >= ($2::text::timestamptz at time zone 'UTC') - interval '1 day'
          and e.starts <= ($3::text::timestamptz at time zone 'UTC') + interval '1 day'),
    'busy', (
        -- Touching times become one: full weeks are a few rows.
        select coalesce(jsonb_agg(jsonb_build_array(
            date_part('epoch', lower(span))::int8, date_part('epoch', upper(span))::int8)), '[]')
        from unnest((
            select range_agg(r.during) from reservation r
            where r.resource_id = practitioner.id and r.active
              and (r.expires_at is null or r.expires_at > $4::text::timestamptz)
              and r.during && tstzrange($2::text::timestamptz - interval '1 day', $3::text::timestamptz + interval '1 day')
        )) span))
from practitioner
where practitioner.id = $1::uuid and practitioner.active
