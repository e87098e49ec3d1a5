-- The actor's second factors, how many recovery codes are left, and the trace of the reading.
-- $1 who
with mine as (
    select * from account where id = ($1::jsonb ->> 'account')::uuid and may($1::jsonb, 'account', 'read', null, null, null)
), recorded as (
    insert into trace select line.* from mine, entry($1::jsonb, 'read', 'second-factor.list', mine.id, null) as line
)
select jsonb_build_object(
    'wrapped_key', mine.wrapped_key,
    'recovery_codes', (select count(*) from recovery_code where account_id = mine.id and used_at is null),
    'factors', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', f.id, 'kind', f.kind, 'secret', f.secret, 'created_at', f.created_at, 'last_used_at', f.last_used_at)
            order by f.created_at, f.id), '[]')
        from second_factor f where f.account_id = mine.id and f.confirmed_at is not null))
from mine
