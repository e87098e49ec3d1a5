-- Plans what is due and not yet planned, with its event.
-- $1 now   $2 step in minutes   $3 freshness in minutes   $4 how many at most
with due as (
    select appointment.id, appointment.starts_at, appointment.version
    from appointment
    where status = 'booked'
      and starts_at > $1::text::timestamptz
      and starts_at <= $1::text::timestamptz + make_interval(mins => $2::int8::int)
      and agreed_at <= $1::text::timestamptz - make_interval(mins => $3::int8::int)
      and not exists (
          select from reminder
          where reminder.appointment_id = appointment.id and reminder.version = appointment.version
            and reminder.step_minutes = $2::int8)
    order by starts_at
    limit $4::int8
), planned as (
    insert into reminder (appointment_id, version, starts_at, step_minutes, planned_at)
    select id, version, starts_at, $2::int8, $1::text::timestamptz from due
    on conflict on constraint reminder_pkey do nothing
    returning appointment_id
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'reminder.due.v1', due.id, jsonb_build_object('appointment', due.id, 'version', due.version), $1::text::timestamptz
    from planned join due on due.id = planned.appointment_id
)
select jsonb_build_object('planned', count(*)) from planned
