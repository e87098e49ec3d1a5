-- Writes down how one sending of a code ended, if the lease is still ours. 'planned' gives it back for another try.
-- $1 code   $2 lease   $3 state   $4 why   $5 now
with settled as (
    update phone_code set
        state = $3::text, why = $4::text, lease = null, lease_until = null,
        settled_at = case when $3::text = 'planned' then null else $5::text::timestamptz end
    where id = $1::uuid and lease = $2::uuid
    returning id
)
select jsonb_build_object('settled', count(*)) from settled
