-- Who the actor is and as what they may act.
-- $1 who
with recorded as (
    insert into trace select line.* from entry($1::jsonb, 'read', 'account.capacities', ($1::jsonb ->> 'account')::uuid, null) as line
)
select jsonb_build_object(
    'account', account.id, 'person', person_of_account(account.id),
    'role', $1::jsonb ->> 'role', 'level', ($1::jsonb ->> 'level')::int8,
    'establishment', $1::jsonb ->> 'establishment', 'practitioner', $1::jsonb ->> 'practitioner',
    'capacities', capacities_of(account.id, ($1::jsonb ->> 'at')::timestamptz),
    -- So that also who has no right left can leave.
    'guardianships', (
        select coalesce(jsonb_agg(jsonb_build_object('id', g.id, 'patient', g.patient_id, 'relation', g.relation,
            'rights', effective_rights(g, ($1::jsonb ->> 'at')::timestamptz), 'state', g.state, 'until', g.until) order by g.since, g.id), '[]')
        from guardianship g where g.account_id = account.id and in_force(g, ($1::jsonb ->> 'at')::timestamptz)),
    'professional', (
        select jsonb_build_object('id', id, 'practitioner', practitioner_id, 'state', state)
        from professional where account_id = account.id order by applied_at desc, id limit 1))
from account
where account.id = ($1::jsonb ->> 'account')::uuid and may($1::jsonb, 'account', 'read', null, null, null)
