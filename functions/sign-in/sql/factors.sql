-- What a code that the actor types is checked against.
-- $1 who
select jsonb_build_object(
    'wrapped_key', account.wrapped_key,
    'factors', (
        select coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'kind', f.kind,
                                                     'secret', case when f.kind = 'totp' then f.secret end) order by f.id), '[]')
        from second_factor f where f.account_id = account.id and f.confirmed_at is not null))
from account where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active'
