-- Changes what is said of a document, at the revision it was decided on.
-- $1 who   $2 document   $3 revision   $4 {title, type, administrative, act_date, language}
with wish as (
    select * from jsonb_to_record($4::jsonb) as w (title text, type text, administrative boolean, act_date date, language text)
), former as (
    select * from document where id = $2::uuid
), changed as (
    update document d set title = wish.title, type_code = wish.type, administrative = wish.administrative,
        act_date = wish.act_date, language = wish.language, revision = d.revision + 1
    from wish
    where d.id = $2::uuid and d.revision = $3::int8 and d.author_id = ($1::jsonb ->> 'account')::uuid
      and document_may($1::jsonb, 'update', d)
    returning d.*
), recorded as (
    insert into trace
    select line.* from changed, former, entry($1::jsonb, 'update', 'document.change', changed.id, changed.patient_id,
        coalesce(change(changed.patient_id, 'type', former.type_code, changed.type_code), '{}')
        || coalesce(change(changed.patient_id, 'act_date', former.act_date::text, changed.act_date::text), '{}')
        || coalesce(change(changed.patient_id, 'title', former.title, changed.title), '{}')) as line
)
select document_document($1::jsonb, changed::document) from changed
