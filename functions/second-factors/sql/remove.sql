-- Removes a second factor, and with the last one the recovery codes, if what was given to prove it is still good: a code
-- only once. No row when it is not.
-- $1 who   $2 factor   $3 {factor: {id, counter}, recovery (hash)}; both null: the session itself is the proof   $4 ticket
with used as (
    -- Of the one that goes, the code is judged by `removed`: a statement changes a row once.
    update second_factor set counter = ($3::jsonb #>> '{factor,counter}')::int8, last_used_at = ($1::jsonb ->> 'at')::timestamptz
    where id = ($3::jsonb #>> '{factor,id}')::uuid and id <> $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid
      and confirmed_at is not null and counter < ($3::jsonb #>> '{factor,counter}')::int8
    returning id
), spent as (
    update recovery_code set used_at = ($1::jsonb ->> 'at')::timestamptz
    where account_id = ($1::jsonb ->> 'account')::uuid and hash = $3::jsonb ->> 'recovery' and used_at is null
    returning hash
), removed as (
    delete from second_factor f
    where f.id = $2::uuid and f.account_id = ($1::jsonb ->> 'account')::uuid and f.confirmed_at is not null
      and may($1::jsonb, 'account', 'delete', null, null, null)
      and case when $3::jsonb ->> 'recovery' is not null then exists (select from spent)
               when ($3::jsonb #>> '{factor,id}')::uuid = f.id then f.counter < ($3::jsonb #>> '{factor,counter}')::int8
               when $3::jsonb #>> '{factor,id}' is not null then exists (select from used)
               else true end
    returning f.id, f.account_id
), gone as (
    delete from recovery_code r using removed
    where r.account_id = removed.account_id and r.hash is distinct from $3::jsonb ->> 'recovery'
      and not exists (select from second_factor f
          where f.account_id = removed.account_id and f.id <> removed.id and f.confirmed_at is not null)
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'second-factor-removed'),
           ($1::jsonb ->> 'at')::timestamptz
    from removed
), recorded as (
    insert into trace select line.* from removed, entry($1::jsonb, 'delete', 'second-factor.remove', removed.id, null) as line
)
select jsonb_build_object('id', removed.id, 'settled', settle_attempt($4::jsonb, false)) from removed
