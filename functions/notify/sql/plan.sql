-- Plans a notice for everyone concerned, once per event. One whose event was overtaken by a later change is born skipped.
-- $1 event   $2 kind of notice   $3 appointment   $4 version the event tells of   $5 now
with wanted as (
    select 'account' as recipient_kind, account.id as recipient_id
    from appointment
    join guardianship on guardianship.patient_id = appointment.patient_id
    join account on account.id = guardianship.account_id
    where appointment.id = $3::uuid
    union all
    select 'practitioner', practitioner.id
    from appointment join practitioner on practitioner.id = appointment.practitioner_id
    where appointment.id = $3::uuid and practitioner.email is not null and $2::text <> 'reminder'
), planned as (
    insert into notice (event_id, appointment_id, kind, recipient_kind, recipient_id, channel, starts_at, state, why, planned_at)
    select $1::uuid, appointment.id, $2::text, wanted.recipient_kind, wanted.recipient_id, 'email', appointment.starts_at,
           case when appointment.version = $4::int8 then 'planned' else 'skipped' end,
           case when appointment.version = $4::int8 then null else 'overtaken' end,
           $5::text::timestamptz
    from appointment, wanted
    where appointment.id = $3::uuid
    on conflict on constraint notice_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
