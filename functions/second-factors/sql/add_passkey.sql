-- A passkey, which has shown that it works.
-- $1 who   $2 {id, secret, credential_lookup, counter}   $3 hashes of recovery codes
with added as (
    insert into second_factor (id, account_id, kind, secret, credential_lookup, counter, created_at, confirmed_at)
    select ($2::jsonb ->> 'id')::uuid, ($1::jsonb ->> 'account')::uuid, 'passkey', $2::jsonb ->> 'secret',
           $2::jsonb ->> 'credential_lookup', ($2::jsonb ->> 'counter')::int8,
           ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'at')::timestamptz
    where may($1::jsonb, 'account', 'create', null, null, null)
    returning id
)
select jsonb_build_object('id', id, 'first', factor_added($1::jsonb, id, 'passkey', $3::text[])) from added
