-- Takes a lease on a code that is still to be sent, with all that is needed to send it.
-- $1 code   $2 lease   $3 now   $4 lease until
with due as (
    select id from phone_code
    where id = $1::uuid and state = 'planned' and (lease_until is null or lease_until <= $3::text::timestamptz)
    for update skip locked
), claimed as (
    update phone_code set lease = $2::uuid, lease_until = $4::text::timestamptz, attempts = attempts + 1
    from due where phone_code.id = due.id
    returning phone_code.*
)
select jsonb_build_object(
    'id', claimed.id, 'account', account.id, 'language', account.language, 'wrapped_key', account.wrapped_key,
    'contact', account.contact, 'telephone', account.telephone, 'phone_lookup', claimed.phone_lookup,
    'used', claimed.used_at is not null or account.phone_verified_at is not null, 'expires_at', claimed.expires_at,
    'overtaken', exists (select from phone_code later where later.account_id = claimed.account_id
                         and (later.asked_at, later.id) > (claimed.asked_at, claimed.id)))
from claimed
join account on account.id = claimed.account_id
