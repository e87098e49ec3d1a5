-- Cancels at the version it was decided on, and frees the time in the same statement.
-- $1 actor   $2 appointment   $3 version   $4 late   $5 reason, sealed   $6 now   $7 request
with cancelled as (
    update appointment set
        status = 'cancelled', version = version + 1, cancelled_at = $6::text::timestamptz, cancelled_late = $4::bool,
        cancel_reason = $5::text
    where id = $2::uuid and version = $3::int8 and status = 'booked'
      and patient_id in (select patient_id from guardianship where account_id = $1::uuid)
    returning appointment.*
), freed as (
    update reservation set active = false from cancelled where reservation.appointment_id = cancelled.id and reservation.active
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'appointment.cancelled.v1', id, jsonb_build_object('appointment', id, 'version', version), $6::text::timestamptz
    from cancelled
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
    select $6::text::timestamptz, 'account', $1::uuid, 'update', 'appointment.cancel', id, patient_id, $7::text from cancelled
)
select appointment_document(cancelled::appointment) from cancelled
