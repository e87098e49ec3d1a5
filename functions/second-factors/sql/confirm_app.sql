-- The app has shown its first code: it counts from now on. With the first factor come the recovery codes.
-- $1 who   $2 id   $3 time step of the code   $4 hashes of recovery codes
with confirmed as (
    update second_factor set
        confirmed_at = ($1::jsonb ->> 'at')::timestamptz, last_used_at = ($1::jsonb ->> 'at')::timestamptz, counter = $3::int8
    where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid and confirmed_at is null
      and may($1::jsonb, 'account', 'create', null, null, null)
    returning id, account_id, confirmed_at
), given as (
    insert into recovery_code (account_id, hash, created_at)
    select confirmed.account_id, code.hash, confirmed.confirmed_at from confirmed, unnest($4::text[]) as code (hash)
    where not exists (select from recovery_code r where r.account_id = confirmed.account_id and r.used_at is null)
    returning hash
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'second-factor-added'),
           ($1::jsonb ->> 'at')::timestamptz
    from confirmed
), recorded as (
    insert into trace select line.* from confirmed, entry($1::jsonb, 'create', 'second-factor.add', confirmed.id, null) as line
)
select jsonb_build_object('id', id, 'first', exists (select from given)) from confirmed
