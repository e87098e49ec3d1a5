-- Claims, oldest first, and the trace of the reading.
-- $1 who   $2 state, or null   $3 how many
with seen as (
    select professional.* from professional
    where ($2::text is null or state = $2::text) and may($1::jsonb, 'professional', 'read', null, null, null)
    order by applied_at, id limit $3::int8
), recorded as (
    insert into trace
    select line.* from seen, entry($1::jsonb, 'read', 'professional.list', seen.id, null) as line
    union all
    -- That somebody looked and there was nothing.
    select line.* from entry($1::jsonb, 'read', 'professional.list', null, null) as line where not exists (select from seen)
)
select professional_document(seen::professional) from seen order by applied_at, id
