-- Lets a member of staff work for a practitioner of the establishment.
-- $1 who   $2 membership   $3 practitioner
with member as (
    select membership.* from membership
    where id = $2::uuid and role in ('nurse', 'secretary') and establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and (until is null or until > ($1::jsonb ->> 'at')::timestamptz)
      and practises_at($3::uuid, establishment_id)
      and may($1::jsonb, 'membership', 'update', null, null, establishment_id)
), attached as (
    insert into attachment as a (membership_id, practitioner_id, since)
    select id, $3::uuid, ($1::jsonb ->> 'at')::timestamptz from member
    on conflict on constraint attachment_pkey do update set until = null, since = excluded.since
    where a.until <= excluded.since
    returning a.membership_id
), recorded as (
    insert into trace select line.* from attached, entry($1::jsonb, 'create', 'attachment.create', $2::uuid, null) as line
)
select jsonb_build_object('id', id) from member
