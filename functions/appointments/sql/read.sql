-- One appointment, and the trace of its reading.
-- $1 who   $2 appointment
with seen as (
    select appointment.* from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid
      and may($1::jsonb, 'appointment', 'read', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
), looked as (
    -- Whoever was told of it has looked: no other channel is tried.
    update notice set state = 'read' from seen
    where $1::jsonb ->> 'role' = 'patient' and notice.appointment_id = seen.id
      and notice.recipient_id = ($1::jsonb ->> 'account')::uuid and notice.state in ('sent', 'delivered')
    returning notice.id
), noted as (
    insert into notice_history (notice_id, at, state) select id, ($1::jsonb ->> 'at')::timestamptz, 'read' from looked
), recorded as (
    insert into trace
    select line.* from seen, entry($1::jsonb, 'read', 'appointment.read', seen.id, seen.patient_id) as line
)
select appointment_document(seen::appointment) from seen
