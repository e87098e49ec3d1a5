-- The notices of a visit that the actor may see, the oldest first, and the trace of the look; families see those to themselves.
-- $1 who   $2 appointment
with seen as (
    select appointment.id, appointment.patient_id from appointment join site on site.id = appointment.site_id
    where appointment.id = $2::uuid
      and may($1::jsonb, 'appointment', 'read', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
      and not hidden($1::jsonb, appointment)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'notice.list', seen.id, seen.patient_id) as line
)
select jsonb_build_object('notices', (
    select coalesce(jsonb_agg(notice_document(n) order by n.planned_at, n.id), '[]') from notice n
    where n.appointment_id = seen.id
      and ($1::jsonb ->> 'role' <> 'patient'
           or (n.recipient_kind = 'account' and n.recipient_id = ($1::jsonb ->> 'account')::uuid))))
from seen
