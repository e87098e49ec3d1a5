-- A link to the bytes that are shown of a document, for this session, if there are any; and the trace that it was asked for. The
-- photograph as it came, with its place, is for who deposited it.
-- $1 who   $2 document   $3 part   $4 link   $5 expires at
with seen as (
    select d.* from document d where d.id = $2::uuid and document_may($1::jsonb, 'read', d)
), shown as (
    select seen.id, seen.current_version from seen
    join document_object o on o.document_id = seen.id and o.version = seen.current_version and o.part = $3::text and o.state = 'written'
    where seen.withdrawn_at is null and ($3::text <> 'original' or seen.author_id = ($1::jsonb ->> 'account')::uuid)
), made as (
    insert into document_link (id, document_id, version, part, account_id, session_id, expires_at)
    select $4::uuid, shown.id, shown.current_version, $3::text, ($1::jsonb ->> 'account')::uuid, ($1::jsonb ->> 'session')::uuid,
           $5::text::timestamptz
    from shown
    returning id
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'document.link', seen.id, seen.patient_id) as line
)
select jsonb_build_object('made', exists (select from made)) from seen
