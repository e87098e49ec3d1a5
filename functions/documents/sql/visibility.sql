-- Changes whom a document is kept from, at the revision it was decided on. What is not said stays.
-- $1 who   $2 document   $3 revision   $4 {hidden_from_patient, hidden_from_representatives, hidden_from_professionals}
with wish as (
    select * from jsonb_to_record($4::jsonb) as w (hidden_from_patient boolean, hidden_from_representatives boolean, hidden_from_professionals boolean)
), former as (
    select * from document where id = $2::uuid
), changed as (
    update document d set
        hidden_from_patient_since = case coalesce(wish.hidden_from_patient, d.hidden_from_patient_since is not null)
            when true then coalesce(d.hidden_from_patient_since, ($1::jsonb ->> 'at')::timestamptz) end,
        hidden_from_representatives_since = case coalesce(wish.hidden_from_representatives, d.hidden_from_representatives_since is not null)
            when true then coalesce(d.hidden_from_representatives_since, ($1::jsonb ->> 'at')::timestamptz) end,
        hidden_from_representatives_by = case when wish.hidden_from_representatives is null then d.hidden_from_representatives_by
            when wish.hidden_from_representatives then ($1::jsonb ->> 'account')::uuid end,
        hidden_from_professionals_since = case coalesce(wish.hidden_from_professionals, d.hidden_from_professionals_since is not null)
            when true then coalesce(d.hidden_from_professionals_since, ($1::jsonb ->> 'at')::timestamptz) end,
        hidden_from_professionals_by = case when wish.hidden_from_professionals is null then d.hidden_from_professionals_by
            when wish.hidden_from_professionals then ($1::jsonb ->> 'account')::uuid end,
        revision = d.revision + 1
    from wish
    where d.id = $2::uuid and d.revision = $3::int8 and document_may($1::jsonb, 'update', d)
      and (wish.hidden_from_representatives is null or document_secrecy($1::jsonb, d))
    returning d.*
), told as (
    -- Who sees it from now on is told that it is there.
    insert into outbox (kind, subject, data, occurred_at)
    select 'document.available.v1', changed.id, jsonb_build_object('document', changed.id, 'version', changed.current_version),
           ($1::jsonb ->> 'at')::timestamptz
    from changed, former
    where changed.current_version is not null and changed.withdrawn_at is null
      and ((former.hidden_from_patient_since is not null and changed.hidden_from_patient_since is null)
        or (former.hidden_from_representatives_since is not null and changed.hidden_from_representatives_since is null)
        or (former.hidden_from_professionals_since is not null and changed.hidden_from_professionals_since is null))
), recorded as (
    insert into trace
    select line.* from changed, former, entry($1::jsonb, 'update', 'document.visibility', changed.id, changed.patient_id,
        coalesce(change(changed.patient_id, 'hidden_from_patient', (former.hidden_from_patient_since is not null)::text, (changed.hidden_from_patient_since is not null)::text), '{}')
        || coalesce(change(changed.patient_id, 'hidden_from_representatives', (former.hidden_from_representatives_since is not null)::text, (changed.hidden_from_representatives_since is not null)::text), '{}')
        || coalesce(change(changed.patient_id, 'hidden_from_professionals', (former.hidden_from_professionals_since is not null)::text, (changed.hidden_from_professionals_since is not null)::text), '{}')) as line
)
select document_document($1::jsonb, changed::document) from changed
