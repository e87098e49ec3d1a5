-- The passkey that an answer claims, if it is that account's.
-- $1 account   $2 lookup of the credential   $3 now
select jsonb_build_object(
    'id', factor.id, 'secret', factor.secret, 'wrapped_key', account.wrapped_key,
    'capacities', capacities(account.id, $3::text::timestamptz))
from second_factor factor join account on account.id = factor.account_id
where factor.credential_lookup = $2::text and factor.account_id = $1::uuid and account.state = 'active'
