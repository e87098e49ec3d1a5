-- One appointment, and the trace of its reading.
-- $1 who   $2 appointment
with seen as (
    select appointment.* from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid
      and may($1::jsonb, 'appointment', 'read', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
), recorded as (
    insert into trace
    select line.* from seen, entry($1::jsonb, 'read', 'appointment.read', seen.id, seen.patient_id) as line
)
select appointment_document(seen::appointment) from seen
-- Whoever was told of it has looked: no other channel is tried.
cross join lateral notices_looked_at($1::jsonb, seen.id, null, null) as looked
