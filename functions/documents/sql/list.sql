-- Documents that the actor may see, by the day of their act, newest first, and a trace of the reading for each patient seen.
-- $1 who   $2 patient   $3 type   $4 visit   $5 how many   $6 after: day   $7 after: id
with patients as materialized (
    -- What the actor may is asked once for each patient, not for each document.
    select candidate.id, document_rights($1::jsonb, 'read', candidate.id) as rights
    from (
        select $2::uuid as id where $2::uuid is not null
        union
        select g.patient_id from guardianship g
        where $2::uuid is null and $1::jsonb ->> 'role' = 'patient' and g.account_id = ($1::jsonb ->> 'account')::uuid
          and in_force(g, ($1::jsonb ->> 'at')::timestamptz)
    ) candidate
), seen as (
    select of_one.* from patients cross join lateral (
        -- In the order of the index: who has thousands is asked for no more than a page.
        select d.* from document d
        where d.patient_id = patients.id and document_reached($1::jsonb, patients.rights, d)
          and ($3::text is null or d.type_code = $3::text)
          and ($4::uuid is null or d.appointment_id = $4::uuid)
          and ($6::text is null or (d.act_date, d.id) < ($6::text::date, $7::uuid))
        order by d.act_date desc, d.id desc
        limit $5::int8
    ) of_one
    order by of_one.act_date desc, of_one.id desc
    limit $5::int8
), recorded as (
    insert into trace
    select line.* from (select distinct patient_id from seen) patient,
        entry($1::jsonb, 'read', 'document.list', null, patient.patient_id) as line
    union all
    -- Who asks for somebody of whom there is nothing to see has asked all the same.
    select line.* from entry($1::jsonb, 'read', 'document.list', $2::uuid, null, null, 'refused') as line
    where $2::uuid is not null and not exists (select from seen)
      and not exists (select from guardianship g where g.patient_id = $2::uuid and g.account_id = ($1::jsonb ->> 'account')::uuid)
)
select document_document($1::jsonb, seen::document) from seen order by seen.act_date desc, seen.id desc
