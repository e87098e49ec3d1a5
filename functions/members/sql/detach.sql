-- Ends a member's working for a practitioner, from the next request on.
-- $1 who   $2 membership   $3 practitioner
with detached as (
    update attachment set until = ($1::jsonb ->> 'at')::timestamptz
    from membership m
    where attachment.membership_id = $2::uuid and attachment.practitioner_id = $3::uuid and m.id = attachment.membership_id
      and m.establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and (attachment.until is null or attachment.until > ($1::jsonb ->> 'at')::timestamptz)
      and may($1::jsonb, 'membership', 'update', null, null, m.establishment_id)
    returning attachment.membership_id
), recorded as (
    insert into trace select line.* from detached, entry($1::jsonb, 'delete', 'attachment.end', $2::uuid, null) as line
)
select jsonb_build_object('id', membership_id) from detached
