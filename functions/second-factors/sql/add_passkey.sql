-- A passkey. With the first factor come the recovery codes.
-- $1 who   $2 {id, secret, credential_lookup, counter}   $3 hashes of recovery codes
with added as (
    insert into second_factor (id, account_id, kind, secret, credential_lookup, counter, created_at, confirmed_at)
    select ($2::jsonb ->> 'id')::uuid, ($1::jsonb ->> 'account')::uuid, 'passkey', $2::jsonb ->> 'secret',
           $2::jsonb ->> 'credential_lookup', ($2::jsonb ->> 'counter')::int8,
           ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'at')::timestamptz
    where may($1::jsonb, 'account', 'create', null, null, null)
    returning id, account_id, created_at
), given as (
    insert into recovery_code (account_id, hash, created_at)
    select added.account_id, code.hash, added.created_at from added, unnest($3::text[]) as code (hash)
    where not exists (select from recovery_code r where r.account_id = added.account_id and r.used_at is null)
    returning hash
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'second-factor-added'),
           ($1::jsonb ->> 'at')::timestamptz
    from added
), recorded as (
    insert into trace select line.* from added, entry($1::jsonb, 'create', 'second-factor.add', added.id, null) as line
)
select jsonb_build_object('id', id, 'first', exists (select from given)) from added
