-- The account for which a link to a new password is good, as much of it as it takes to judge the password.
-- $1 link   $2 now
select jsonb_build_object(
    'id', account.id, 'password_hash', account.password_hash, 'wrapped_key', account.wrapped_key, 'contact', account.contact,
    'patient', patient.id, 'patient_key', patient.wrapped_key, 'identity', patient.identity)
from account_link link
join account on account.id = link.account_id and account.email_lookup = link.email_lookup
left join guardianship on guardianship.account_id = account.id and guardianship.relation = 'self'
left join patient on patient.id = guardianship.patient_id
where link.id = $1::uuid and link.purpose = 'reset-password' and link.used_at is null
  and link.expires_at > $2::text::timestamptz and account.state = 'active'
