-- Keeps a visit of a minor from those who act for them, or no longer, at the version it was decided on. The version stays: it is that
-- of what is told, and what was said of the visit, or waits to be, is as true as before. Changes ask anew whether it is hidden.
-- $1 who   $2 appointment   $3 version   $4 whether it is secret
with marked as (
    update appointment set
        secret_since = case when $4::bool then coalesce(secret_since, ($1::jsonb ->> 'at')::timestamptz) end,
        secret_by = case when $4::bool then ($1::jsonb ->> 'account')::uuid end
    from site
    where appointment.id = $2::uuid and appointment.version = $3::int8 and site.id = appointment.site_id
      -- Somebody was quicker.
      and (appointment.secret_since is not null) <> $4::bool
      and may($1::jsonb, 'secrecy', 'update', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
    returning appointment.*
), traces as (
    -- Nor do they see from which hold it was made.
    update appointment held set secret_since = marked.secret_since, secret_by = marked.secret_by
    from marked
    where held.status = 'expired' and held.patient_id = marked.patient_id and held.practitioner_id = marked.practitioner_id
      and held.booked_by = marked.booked_by and held.starts_at < marked.ends_at and held.ends_at > marked.starts_at
), recorded as (
    insert into trace
    select line.* from marked, entry($1::jsonb, 'update', 'appointment.secrecy', marked.id, marked.patient_id,
        change(marked.patient_id, 'secret', (not $4::bool)::text, ($4::bool)::text)) as line
)
select appointment_document(marked::appointment) from marked
