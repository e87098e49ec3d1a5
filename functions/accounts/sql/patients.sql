-- The patients the actor acts for, and the trace of the reading.
-- $1 who
with seen as (
    select patient.*, guardianship.relation,
           effective_rights(guardianship, ($1::jsonb ->> 'at')::timestamptz) as rights, guardianship.until as guarded_until
    from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'patient', 'read', patient.id, null, null)
), recorded as (
    insert into trace select line.* from seen, entry($1::jsonb, 'read', 'patient.list', null, seen.id) as line
)
select jsonb_build_object('id', id, 'wrapped_key', wrapped_key, 'identity', identity,
                          'relation', relation, 'rights', rights, 'until', guarded_until)
from seen where identity is not null
