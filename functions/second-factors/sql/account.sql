-- What a change of the actor's second factors is decided on.
-- $1 who
select jsonb_build_object(
    'wrapped_key', account.wrapped_key, 'contact', account.contact, 'password_hash', account.password_hash,
    'method', session.method,
    'factors', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', f.id, 'kind', f.kind, 'secret', f.secret, 'waiting', f.confirmed_at is null) order by f.id), '[]')
        from second_factor f where f.account_id = account.id))
from account join session on session.id = ($1::jsonb ->> 'session')::uuid and session.account_id = account.id
where account.id = ($1::jsonb ->> 'account')::uuid and may($1::jsonb, 'account', 'update', null, null, null)
