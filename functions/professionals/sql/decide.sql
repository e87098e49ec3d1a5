-- Decides on a claim in the state it was decided on. Whose right to practise is suspended has no agenda online, and their
-- account works nowhere from the next request on; whatever was booked stays, and is told by whoever tells it.
-- $1 who   $2 professional   $3 state it was in   $4 state it gets   $5 reason, sealed   $6 event
with decided as (
    update professional set state = $4::text, reason = '', reason_key = $5::jsonb ->> 'wrapped_key',
        sealed_reason = $5::jsonb ->> 'text', decided_at = ($1::jsonb ->> 'at')::timestamptz,
        decided_by = ($1::jsonb ->> 'account')::uuid
    where id = $2::uuid and state = $3::text
      -- Nobody decides on a claim of their own.
      and account_id <> ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'professional', 'update', null, null, null)
    returning *
), closed as (
    update practitioner set
        suspended_at = case when $4::text = 'suspended' then decided.decided_at end,
        online_before = case when $4::text = 'suspended' then practitioner.online end,
        online = case when $4::text = 'suspended' then false else coalesce(practitioner.online_before, practitioner.online) end,
        agenda_version = agenda_version + 1
    from decided
    where practitioner.id = decided.practitioner_id and 'suspended' in ($3::text, $4::text)
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select $6::text, id, jsonb_build_object('professional', id, 'practitioner', practitioner_id), decided_at from decided
), recorded as (
    insert into trace select line.* from decided, entry($1::jsonb, 'update', $6::text, decided.id, null) as line
)
select professional_document(decided::professional) from decided
