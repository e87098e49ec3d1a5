-- Opens a look in an emergency; patient and family are told by whoever takes the event.
-- $1 who   $2 {id, patient, reason (sealed), until}
with opened as (
    insert into emergency_access (id, account_id, patient_id, establishment_id, reason, since, until)
    select wish.id, ($1::jsonb ->> 'account')::uuid, wish.patient, ($1::jsonb ->> 'establishment')::uuid, wish.reason,
           ($1::jsonb ->> 'at')::timestamptz, wish.until
    from jsonb_to_record($2::jsonb) as wish (id uuid, patient uuid, reason text, until timestamptz)
    where may($1::jsonb, 'emergency-access', 'create', wish.patient, null, null)
    returning *
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'emergency-access.opened.v1', id, jsonb_build_object('emergency_access', id, 'patient', patient_id), since
    from opened
), recorded as (
    insert into trace
    select line.* from opened,
        entry($1::jsonb || '{"purpose": "ETREAT"}', 'create', 'emergency-access.open', opened.id, opened.patient_id) as line
)
select jsonb_build_object('id', id, 'patient', patient_id, 'until', until) from opened
