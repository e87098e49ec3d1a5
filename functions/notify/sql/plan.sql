-- Plans a notice for everyone concerned, once per event. One whose event was overtaken by a later change is born skipped,
-- but for a practitioner who takes part no longer: nothing later tells them.
-- $1 event   $2 kind of notice   $3 appointment   $4 version the event tells of   $5 now
-- $6 {practitioner, starts_at, ends_at} of who was left by a move to another practitioner
with wanted as (
    select 'account' as recipient_kind, account.id as recipient_id, $2::text as kind, null::jsonb as former
    from appointment
    join guardianship on guardianship.patient_id = appointment.patient_id
    join account on account.id = guardianship.account_id
    -- Whoever acts for the patient and is to be told; of what a minor keeps secret, nobody but the minor.
    -- Not to an address that another account has shown to be its own: it is not whose it says it is.
    where appointment.id = $3::uuid and account.contact is not null and not of_another(account) and in_force(guardianship, $5::text::timestamptz)
      and (guardianship.relation = 'self' or 'notices' = any (guardianship.rights))
      and (appointment.secret_since is null or surely_oneself(guardianship, $5::text::timestamptz))
    union all
    -- Whom it was moved to hears of it for the first time.
    select 'practitioner', practitioner.id, case when $6::jsonb is null then $2::text else 'confirmation' end, null
    from appointment join practitioner on practitioner.id = appointment.practitioner_id
    where appointment.id = $3::uuid and practitioner.email is not null and $2::text <> 'reminder'
    union all
    select 'practitioner', practitioner.id, 'cancellation', $6::jsonb
    from practitioner where practitioner.id = ($6::jsonb ->> 'practitioner')::uuid and practitioner.email is not null
), planned as (
    insert into notice (event_id, appointment_id, kind, recipient_kind, recipient_id, channel, version, starts_at, ends_at,
                        state, why, planned_at)
    select $1::uuid, appointment.id, wanted.kind, wanted.recipient_kind, wanted.recipient_id, 'email', $4::int8,
           coalesce((wanted.former ->> 'starts_at')::timestamptz, appointment.starts_at), (wanted.former ->> 'ends_at')::timestamptz,
           case when appointment.version = $4::int8 or wanted.former is not null then 'planned' else 'skipped' end,
           case when appointment.version = $4::int8 or wanted.former is not null then null else 'overtaken' end,
           $5::text::timestamptz
    from appointment, wanted
    where appointment.id = $3::uuid
    on conflict on constraint notice_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
