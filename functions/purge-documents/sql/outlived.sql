-- Removes documents that were kept as long as they had to be: see `kept_until`. Nothing is younger than twenty years.
-- $1 who   $2 how many at most
with past as (
    select d.id from document d join patient on patient.id = d.patient_id
    where d.purged_at is null and d.created_at < ($1::jsonb ->> 'at')::timestamptz - interval '20 years'
      and not exists (select from document_version v where v.document_id = d.id
                      and v.created_at >= ($1::jsonb ->> 'at')::timestamptz - interval '20 years')
      and kept_until(patient) < ($1::jsonb ->> 'at')::timestamptz
    order by d.created_at limit $2::int8
    for update of d skip locked
), versions as (
    update document_version v set state = 'purged', refusal = null, upload = null, lease = null, lease_until = null
    from past where v.document_id = past.id
), objects as (
    update document_object o set state = 'deleted' from past where o.document_id = past.id and o.state <> 'deleted'
), gone as (
    -- Nothing is left of what it was called.
    update document d set purged_at = ($1::jsonb ->> 'at')::timestamptz, title = '' from past where d.id = past.id
    returning d.id, d.patient_id
), recorded as (
    insert into trace select line.* from gone, entry($1::jsonb, 'delete', 'document.purge', gone.id, gone.patient_id) as line
)
select jsonb_build_object('purged', count(*)) from gone
