-- Keeps a visit of a minor from those who act for them, or no longer, at the version it was decided on.
-- $1 who   $2 appointment   $3 version   $4 whether it is secret
with marked as (
    update appointment set
        secret_since = case when $4::bool then coalesce(secret_since, ($1::jsonb ->> 'at')::timestamptz) end,
        secret_by = case when $4::bool then ($1::jsonb ->> 'account')::uuid end,
        version = version + 1
    from site
    where appointment.id = $2::uuid and appointment.version = $3::int8 and site.id = appointment.site_id
      and may($1::jsonb, 'secrecy', 'update', appointment.patient_id, appointment.practitioner_id, site.establishment_id)
    returning appointment.*
), recorded as (
    insert into trace
    select line.* from marked, entry($1::jsonb, 'update', 'appointment.secrecy', marked.id, marked.patient_id,
        change(marked.patient_id, 'secret', (not $4::bool)::text, ($4::bool)::text)) as line
)
select appointment_document(marked::appointment) from marked
