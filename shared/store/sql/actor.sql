-- Who acts in a session, if it still is one: neither ended nor expired, of an account that is neither suspended nor closed,
-- in a membership or for the platform as long as that lasts. Asked at every request, so that an end is felt at the next.
-- $1 session   $2 account   $3 now
select jsonb_build_object(
    'role', session.role, 'level', session.level, 'opened_at', session.created_at,
    'two_factors', exists (select from second_factor f where f.account_id = account.id and f.confirmed_at is not null),
    'establishment', membership.establishment_id, 'practitioner', membership.practitioner_id,
    'attached', (
        select coalesce(jsonb_agg(attachment.practitioner_id), '[]') from attachment
        where attachment.membership_id = membership.id
          and (attachment.until is null or attachment.until > $3::text::timestamptz)))
from session
join account on account.id = session.account_id
left join membership on membership.id = session.membership_id
where session.id = $1::uuid and session.account_id = $2::uuid
  and session.revoked_at is null and session.expires_at > $3::text::timestamptz
  and account.state = 'active'
  and (session.role not in ('operator', 'support') or account.platform_role = session.role)
  -- Whose right to practise is suspended works in no establishment.
  and (session.membership_id is null
       or (not suspended(account.id) and membership.since <= $3::text::timestamptz
           and (membership.until is null or membership.until > $3::text::timestamptz)))
