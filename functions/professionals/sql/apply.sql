-- Claims to be somebody of the directory, whom nobody else is.
-- $1 who   $2 professional   $3 practitioner   $4 code of the profession
with applied as (
    insert into professional (id, account_id, practitioner_id, profession, state, applied_at)
    select $2::uuid, ($1::jsonb ->> 'account')::uuid, $3::uuid, $4::text, 'pending', ($1::jsonb ->> 'at')::timestamptz
    where may($1::jsonb, 'professional', 'create', null, null, null)
      and not exists (select from professional other
                      where other.practitioner_id = $3::uuid and other.state in ('validated', 'suspended'))
    returning *
), announced as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'professional.applied.v1', id, jsonb_build_object('professional', id, 'practitioner', practitioner_id), applied_at
    from applied
), recorded as (
    insert into trace select line.* from applied, entry($1::jsonb, 'create', 'professional.apply', applied.id, null) as line
)
select professional_document(applied::professional) from applied
