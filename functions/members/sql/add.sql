-- Makes a member of a practitioner of the directory who has an account, validated as theirs, and practises there.
-- $1 who   $2 membership   $3 practitioner
with added as (
    insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
    select $2::uuid, professional.account_id, ($1::jsonb ->> 'establishment')::uuid, 'practitioner', professional.practitioner_id,
           ($1::jsonb ->> 'at')::timestamptz
    from professional
    where professional.practitioner_id = $3::uuid and professional.state = 'validated'
      and practises_at(professional.practitioner_id, ($1::jsonb ->> 'establishment')::uuid)
      and may($1::jsonb, 'membership', 'create', null, null, ($1::jsonb ->> 'establishment')::uuid)
    returning *
), recorded as (
    insert into trace select line.* from added, entry($1::jsonb, 'create', 'membership.create', added.id, null) as line
)
select member_document(added::membership, $1::jsonb) from added
