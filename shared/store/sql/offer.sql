-- What a booking or a move is decided on: the rules of one practitioner for one reason at one site, and the patient if
-- the actor may act for them.
-- $1 who   $2 practitioner   $3 site   $4 reason   $5 patient (null: the actor as patient)   $6 start of the slot
-- $7 action: 'create' or 'update'
select jsonb_build_object(
    'agenda', jsonb_build_object(
        'practitioner', practitioner.id,
        'sites', (
            select coalesce(jsonb_agg(jsonb_build_object('id', site.id, 'time_zone', site.time_zone, 'holidays', site.holidays)), '[]')
            from practice join site on site.id = practice.site_id
            where practice.practitioner_id = practitioner.id and site.id = $3::uuid),
        'reasons', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'id', reason.id, 'channel', reason.channel, 'duration_minutes', reason.duration_minutes,
                'buffer_before_minutes', reason.buffer_before_minutes, 'buffer_after_minutes', reason.buffer_after_minutes,
                'step_minutes', reason.step_minutes, 'notice_minutes', reason.notice_minutes,
                'horizon_days', reason.horizon_days)), '[]')
            from reason where reason.id = $4::uuid and reason.practitioner_id = practitioner.id and reason.bookable
              and practitioner.online),
        'openings', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'site', o.site_id, 'reasons', o.reason_ids, 'weekday', o.weekday, 'starts_minute', o.starts_minute,
                'ends_minute', o.ends_minute, 'valid_from', o.valid_from, 'valid_until', o.valid_until)), '[]')
            from opening o
            where o.practitioner_id = practitioner.id and o.site_id = $3::uuid),
        'exceptions', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'site', e.site_id, 'kind', e.kind, 'reasons', e.reason_ids, 'starts', e.starts, 'ends', e.ends)), '[]')
            from opening_exception e
            where e.practitioner_id = practitioner.id and (e.site_id is null or e.site_id = $3::uuid)
              and e.ends >= ($6::text::timestamptz at time zone 'UTC') - interval '2 days'
              and e.starts <= ($6::text::timestamptz at time zone 'UTC') + interval '2 days')),
    'agenda_version', practitioner.agenda_version,
    'calendar', (
        select jsonb_build_object(
            'mailbox', m.id, 'server', m.server_id, 'wrapped_key', server.wrapped_key, 'settings', server.settings, 'address', m.address,
            'when_silent', m.when_silent, 'rests', coalesce(m.rests_until > ($1::jsonb ->> 'at')::timestamptz, false),
            'own', (
                select coalesce(jsonb_agg(jsonb_build_array(l.agreed -> 'starts_at', l.agreed -> 'ends_at')), '[]')
                from exchange_link l
                where l.mailbox_id = m.id and (l.agreed ->> 'ends_at')::timestamptz >= $6::text::timestamptz - interval '1 day'
                  and (l.agreed ->> 'starts_at')::timestamptz <= $6::text::timestamptz + interval '1 day'))
        from exchange_mailbox m join exchange_server server on server.id = m.server_id
        join site on site.id = $3::uuid and site.establishment_id = m.establishment_id
        where m.practitioner_id = practitioner.id and m.state = 'active'),
    'patient', (
        select jsonb_build_object('id', patient.id, 'wrapped_key', patient.wrapped_key)
        from patient
        where patient.id = coalesce($5::uuid, (
                select g.patient_id from guardianship g
                where g.account_id = ($1::jsonb ->> 'account')::uuid and g.relation = 'self'))
          and may($1::jsonb, 'appointment', $7::text, patient.id, practitioner.id,
                  (select site.establishment_id from site where site.id = $3::uuid))))
from practitioner
where practitioner.id = $2::uuid and practitioner.active
