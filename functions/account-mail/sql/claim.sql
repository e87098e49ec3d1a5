-- Takes a lease on the letters of an event that are still to be sent, with all that is needed to write them.
-- $1 event   $2 lease   $3 now   $4 lease until
with due as (
    select id from letter
    where event_id = $1::uuid and state = 'planned' and (lease_until is null or lease_until <= $3::text::timestamptz)
    order by id
    for update skip locked
), claimed as (
    update letter set lease = $2::uuid, lease_until = $4::text::timestamptz, attempts = attempts + 1
    from due where letter.id = due.id
    returning letter.*
)
select jsonb_build_object(
    'id', claimed.id, 'kind', claimed.kind, 'what', claimed.what, 'account', account.id, 'language', account.language,
    'wrapped_key', account.wrapped_key, 'verified', account.email_verified_at is not null,
    'contact', case claimed.addressee when 'present' then account.contact when 'new' then change.contact else change.former end,
    'link_id', link.id,
    'link', case when link.id is not null
                 then jsonb_build_object('used', link.used_at is not null or coalesce(change.state <> 'asked', false), 'expires_at', link.expires_at) end)
from claimed
join account on account.id = claimed.account_id
left join account_link link on link.id = claimed.link_id
left join email_change change on change.id = claimed.email_change_id
