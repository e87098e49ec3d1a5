-- An authenticator app that waits for its first code, in the place of one that waited before. No row when there is one
-- already that has shown it.
-- $1 who   $2 id   $3 secret, sealed
with enrolled as (
    insert into second_factor (id, account_id, kind, secret, created_at)
    select $2::uuid, ($1::jsonb ->> 'account')::uuid, 'totp', $3::text, ($1::jsonb ->> 'at')::timestamptz
    where may($1::jsonb, 'account', 'create', null, null, null)
      and not exists (select from second_factor f
          where f.account_id = ($1::jsonb ->> 'account')::uuid and f.kind = 'totp' and f.confirmed_at is not null)
    on conflict (account_id) where confirmed_at is null
        do update set id = excluded.id, secret = excluded.secret, created_at = excluded.created_at
    returning id
), recorded as (
    insert into trace select line.* from enrolled, entry($1::jsonb, 'create', 'second-factor.enrol', enrolled.id, null) as line
)
select jsonb_build_object('id', id) from enrolled
