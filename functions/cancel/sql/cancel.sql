-- Cancels at the version it was decided on, and frees the time in the same statement.
-- $1 who   $2 appointment   $3 version   $4 late   $5 reason, sealed
with cancelled as (
    update appointment set
        status = 'cancelled', version = version + 1, cancelled_at = ($1::jsonb ->> 'at')::timestamptz,
        cancelled_late = $4::bool, cancel_reason = $5::text
    from site
    where appointment.id = $2::uuid and appointment.version = $3::int8 and appointment.status = 'booked'
      and site.id = appointment.site_id
      and may($1::jsonb, 'appointment', 'delete', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
    returning appointment.*
), freed as (
    update reservation set active = false from cancelled where reservation.appointment_id = cancelled.id and reservation.active
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'appointment.cancelled.v1', id, jsonb_build_object('appointment', id, 'version', version,
               'establishment', (select establishment_id from site where site.id = cancelled.site_id)), cancelled_at
    from cancelled
), recorded as (
    insert into trace
    select line.* from cancelled,
        entry($1::jsonb, 'update', 'appointment.cancel', cancelled.id, cancelled.patient_id, change(cancelled.patient_id, 'status', 'booked', 'cancelled')) as line
)
select appointment_document(cancelled::appointment) from cancelled
