-- What a password is checked against, and in what capacities the account may act.
-- $1 e-mail   $2 now
select jsonb_build_object(
    'id', account.id, 'password_hash', account.password_hash,
    'capacities', (
        select coalesce(jsonb_agg(jsonb_build_object('role', c.role, 'membership', c.id, 'establishment', c.establishment_id)
                                  order by c.since, c.id), '[]')
        from (
            select role, id, establishment_id, since from membership
            where account_id = account.id and not suspended(account.id) and since <= $2::text::timestamptz and (until is null or until > $2::text::timestamptz)
            union all
            select account.platform_role, null, null, account.created_at where account.platform_role is not null
        ) c))
from account where email_key = lower($1::text) and state = 'active'
