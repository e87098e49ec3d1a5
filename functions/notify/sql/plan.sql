-- Plans a notice for everyone concerned, once per event. One whose event was overtaken by a later change is born skipped,
-- but for a practitioner who takes part no longer: nothing later tells them.
-- $1 event   $2 kind of notice   $3 appointment   $4 version the event tells of   $5 now
-- $6 {practitioner, starts_at, ends_at} of who was left by a move to another practitioner   $7 how long a letter takes, in minutes
with visit as (
    select appointment.*, site.establishment_id, (appointment.starts_at at time zone site.time_zone)::date as day
    from appointment join site on site.id = appointment.site_id where appointment.id = $3::uuid
), wanted as (
    select 'account' as recipient_kind, account.id as recipient_id, $2::text as kind, null::jsonb as former,
           coalesce((channels_of(account, $2::text))[1], 'letter') as channel
    from visit
    join guardianship on guardianship.patient_id = visit.patient_id
    join account on account.id = guardianship.account_id
    where account.state = 'active' and is_told(guardianship, visit.secret_since is not null, $5::text::timestamptz)
    union all
    -- Whom it was moved to hears of it for the first time.
    select 'practitioner', practitioner.id, case when $6::jsonb is null then $2::text else 'confirmation' end, null, 'email'
    from visit join practitioner on practitioner.id = visit.practitioner_id
    where practitioner.email is not null
    union all
    select 'practitioner', practitioner.id, 'cancellation', $6::jsonb, 'email'
    from practitioner where practitioner.id = ($6::jsonb ->> 'practitioner')::uuid and practitioner.email is not null
), judged as (
    select wanted.*, coalesce((wanted.former ->> 'starts_at')::timestamptz, visit.starts_at) as starts_at, case
        when visit.version <> $4::int8 and wanted.former is null then 'overtaken'
        -- A letter home would tell what a minor keeps secret.
        when wanted.channel = 'letter' and visit.secret_since is not null then 'kept secret'
        when wanted.channel = 'letter'
            and visit.starts_at < $5::text::timestamptz + make_interval(mins => $7::int8::int) then 'no channel'
        end as why
    from visit, wanted
    -- An event that comes again plans nothing for whom it was planned for: by now another channel may be their first one.
    where not exists (select from notice n where n.event_id = $1::uuid and n.recipient_kind = wanted.recipient_kind
                      and n.recipient_id = wanted.recipient_id and (n.ends_at is not null) = (wanted.former is not null))
), planned as (
    insert into notice (event_id, appointment_id, kind, recipient_kind, recipient_id, channel, version, starts_at, ends_at,
                        day, establishment_id, state, why, planned_at, send_at, settled_at)
    select $1::uuid, visit.id, judged.kind, judged.recipient_kind, judged.recipient_id, judged.channel, $4::int8,
           judged.starts_at, (judged.former ->> 'ends_at')::timestamptz, visit.day, visit.establishment_id,
           case when judged.why is null then 'planned' else 'skipped' end, judged.why, $5::text::timestamptz,
           $5::text::timestamptz, case when judged.why is not null then $5::text::timestamptz end
    from visit, judged
    on conflict do nothing
    returning id, state, why
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $5::text::timestamptz, state, coalesce(why, 'event') from planned
)
select jsonb_build_object('planned', count(*)) from planned
