-- Ends an attempt that opened nothing, and leaves its trace; one that succeeded leaves none, what it allows does.
-- $1 who   $2 ticket   $3 whether it counts as a failure (null: it succeeded)   $4 event   $5 the account, if there is one
with recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'execute', $4::text, $5::uuid, null, null,
                             case when $3::bool then 'failed' else 'refused' end) as line
    where $3::bool is not null
)
select jsonb_build_object('settled', settle_attempt($2::jsonb, coalesce($3::bool, false)))
