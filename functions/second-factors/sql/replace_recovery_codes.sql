-- New recovery codes in the place of all earlier ones, for an account with a second factor.
-- $1 who   $2 hashes
with mine as (
    select id from account
    where id = ($1::jsonb ->> 'account')::uuid and may($1::jsonb, 'account', 'update', null, null, null)
      and exists (select from second_factor f where f.account_id = account.id and f.confirmed_at is not null)
), gone as (
    delete from recovery_code using mine where recovery_code.account_id = mine.id
), given as (
    insert into recovery_code (account_id, hash, created_at)
    select mine.id, code.hash, ($1::jsonb ->> 'at')::timestamptz from mine, unnest($2::text[]) as code (hash)
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'recovery-codes-replaced'), ($1::jsonb ->> 'at')::timestamptz
    from mine
), recorded as (
    insert into trace select line.* from mine, entry($1::jsonb, 'update', 'recovery-code.replace', mine.id, null) as line
)
select jsonb_build_object('id', id) from mine
