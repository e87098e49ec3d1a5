-- The page of one practitioner.
-- $1 practitioner
select jsonb_build_object(
    'id', practitioner.id, 'rpps', practitioner.rpps,
    'name', concat_ws(' ', nullif(practitioner.title, ''), practitioner.given_name, practitioner.family_name),
    'languages', practitioner.languages, 'phone', practitioner.phone, 'online', practitioner.online,
    'specialties', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'code', specialty.code, 'label_fr', specialty.label_fr, 'label_en', specialty.label_en) order by specialty.code), '[]')
        from practitioner_specialty ps join specialty on specialty.code = ps.specialty_code
        where ps.practitioner_id = practitioner.id),
    'sites', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', site.id, 'name', site.name, 'address_line', site.address_line, 'city', site.city,
            'postal_code', site.postal_code, 'lat', site.lat, 'lon', site.lon, 'time_zone', site.time_zone,
            'holidays', site.holidays, 'accessibility', site.accessibility) order by site.name, site.id), '[]')
        from practice join site on site.id = practice.site_id where practice.practitioner_id = practitioner.id),
    'reasons', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', reason.id, 'label_fr', reason.label_fr, 'label_en', reason.label_en, 'specialty', reason.specialty_code,
            'channel', reason.channel, 'duration_minutes', reason.duration_minutes, 'notice_minutes', reason.notice_minutes,
            'horizon_days', reason.horizon_days, 'late_notice_minutes', reason.late_notice_minutes,
            'fee_min_cents', reason.fee_min_cents, 'fee_max_cents', reason.fee_max_cents) order by reason.position, reason.id), '[]')
        from reason where reason.practitioner_id = practitioner.id and reason.bookable),
    'fees', (
        select coalesce(jsonb_agg(to_jsonb(fee) order by fee.specialty, fee.channel), '[]') from (
            select specialty_code as specialty, channel, min(fee_min_cents) as fee_min_cents, max(fee_max_cents) as fee_max_cents
            from reason where practitioner_id = practitioner.id and bookable and fee_min_cents is not null
            group by specialty_code, channel) fee))
from practitioner
where practitioner.id = $1::uuid and practitioner.active
