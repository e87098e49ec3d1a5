-- The trace of a request that was refused before a statement could leave one.
-- $1 who   $2 action   $3 what was asked for: 'appointment.read'   $4 the identifier that was named, if it is one
with recorded as (
    insert into trace
    select line.* from entry($1::jsonb, $2::text, $3::text, $4::uuid, null, null, 'refused') as line
    returning 1
)
select jsonb_build_object('recorded', count(*)) from recorded
