-- What a password is checked against, and in what capacities each account may act: the account that has shown the address
-- to be its own, and the newest of those that only claim it.
-- $1 lookup of the e-mail   $2 now
with claimant as (
    (select * from account where email_lookup = $1::text and state = 'active' and email_verified_at is not null)
    union all
    (select * from account where email_lookup = $1::text and state = 'active' and email_verified_at is null
     order by created_at desc limit 1)
)
select jsonb_build_object(
    'id', account.id, 'password_hash', account.password_hash, 'verified', account.email_verified_at is not null,
    'capacities', (
        select coalesce(jsonb_agg(jsonb_build_object('role', c.role, 'membership', c.id, 'establishment', c.establishment_id)
                                  order by c.since, c.id), '[]')
        from (
            select role, id, establishment_id, since from membership
            where account_id = account.id and not suspended(account.id) and since <= $2::text::timestamptz and (until is null or until > $2::text::timestamptz)
            union all
            select account.platform_role, null, null, account.created_at where account.platform_role is not null
        ) c))
from claimant account
