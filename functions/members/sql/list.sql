-- Who works in the establishment of the session, and the trace of the reading.
-- $1 who
with seen as (
    select membership.* from membership
    where establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and (until is null or until > ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'membership', 'read', null, null, establishment_id)
), recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'membership.list', ($1::jsonb ->> 'establishment')::uuid, null) as line
)
select member_document(seen::membership, $1::jsonb) from seen order by since, id
