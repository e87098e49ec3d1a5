-- From now on the session acts in this membership: one that the account has as the very professional the provider vouched
-- for when it was opened.
-- $1 who   $2 membership   $3 provider
with chosen as (
    update session set role = membership.role, membership_id = membership.id
    from external_identity
    join membership on membership.account_id = external_identity.account_id
        and membership.practitioner_id = external_identity.practitioner_id
    join establishment on establishment.id = membership.establishment_id
    where session.id = ($1::jsonb ->> 'session')::uuid and session.account_id = ($1::jsonb ->> 'account')::uuid
      and session.revoked_at is null and session.method = 'psc' and session.level = 2
      and external_identity.account_id = session.account_id and external_identity.provider = session.provider
      and session.provider = $3::text
      and membership.id = $2::uuid and membership.since <= ($1::jsonb ->> 'at')::timestamptz
      and (membership.until is null or membership.until > ($1::jsonb ->> 'at')::timestamptz)
    returning session.id as session_id, membership.id, membership.role, establishment.id as establishment_id,
              establishment.name, establishment.finess
), recorded as (
    insert into trace
    select line.* from chosen, entry($1::jsonb || jsonb_build_object('role', chosen.role, 'establishment', chosen.establishment_id),
        'update', 'session.choose', chosen.session_id, null) as line
)
select jsonb_build_object('membership', id, 'role', role, 'establishment', establishment_id, 'name', name, 'finess', finess)
from chosen
