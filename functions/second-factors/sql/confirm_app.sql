-- The app has shown its first code: it counts from now on.
-- $1 who   $2 id   $3 time step of the code   $4 hashes of recovery codes
with confirmed as (
    update second_factor set
        confirmed_at = ($1::jsonb ->> 'at')::timestamptz, last_used_at = ($1::jsonb ->> 'at')::timestamptz, counter = $3::int8
    where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid and confirmed_at is null
      and may($1::jsonb, 'account', 'create', null, null, null)
    returning id
)
select jsonb_build_object('id', id, 'first', factor_added($1::jsonb, id, 'totp', $4::text[])) from confirmed
