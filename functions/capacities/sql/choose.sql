-- Makes the actor's session act in another of their capacities, from the next request on.
-- $1 who   $2 role   $3 membership, for who works in an establishment
with chosen as (
    update session set role = $2::text, membership_id = $3::uuid
    where id = ($1::jsonb ->> 'session')::uuid and revoked_at is null
      and may($1::jsonb, 'account', 'update', null, null, null)
      and exists (
          select from jsonb_to_recordset(capacities_of(account_id, ($1::jsonb ->> 'at')::timestamptz)) as c (role text, membership uuid)
          where c.role = $2::text and c.membership is not distinct from $3::uuid)
    returning id
), recorded as (
    insert into trace
    select line.* from chosen, entry($1::jsonb, 'execute', 'session.capacity.' || $2::text, chosen.id, null) as line
)
select jsonb_build_object('id', id) from chosen
