-- What a password and a second factor are checked against, and in what capacities each account may act: the account that
-- has shown the address to be its own, and of those that only claim it the newest, the oldest, and the last that signed in from
-- where the request comes from.
-- $1 lookup of the e-mail   $2 now   $3 keyed hash of where it comes from
with claimant as (
    (select * from account where email_lookup = $1::text and state = 'active' and email_verified_at is not null)
    union
    (select * from account where email_lookup = $1::text and state = 'active' and email_verified_at is null
     order by created_at, id limit 1)
    union
    (select * from account where email_lookup = $1::text and state = 'active' and email_verified_at is null
     order by created_at desc, id desc limit 1)
    union
    (select a.* from account a join known_address k on k.account_id = a.id and k.address = $3::text
     where a.email_lookup = $1::text and a.state = 'active' and a.email_verified_at is null
     order by k.last_at desc, a.id desc limit 1)
)
select jsonb_build_object(
    'id', account.id, 'password_hash', account.password_hash, 'verified', account.email_verified_at is not null,
    'wrapped_key', account.wrapped_key, 'capacities', capacities(account.id, $2::text::timestamptz),
    'factors', (
        select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'kind', f.kind,
                                                     'secret', case when f.kind = 'totp' then f.secret end) order by f.id), '[]')
        from second_factor f where f.account_id = account.id and f.confirmed_at is not null))
from claimant account order by account.created_at desc, account.id desc
