-- Ends an attempt that opened nothing, and leaves its trace.
-- $1 who   $2 ticket   $3 whether it counts as a failure   $4 event   $5 the account, if there is one
with recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'execute', $4::text, $5::uuid, null, null,
                             case when $3::bool then 'failed' else 'refused' end) as line
)
select jsonb_build_object('settled', settle_attempt($2::jsonb, $3::bool))
