-- The actor's account, as much of it as it takes to ask for the password again and to judge a new one.
-- $1 account
select jsonb_build_object(
    'id', account.id, 'password_hash', account.password_hash, 'wrapped_key', account.wrapped_key, 'contact', account.contact,
    'telephone', account.telephone,
    'patient', patient.id, 'patient_key', patient.wrapped_key, 'identity', patient.identity)
from account
left join guardianship on guardianship.account_id = account.id and guardianship.relation = 'self'
left join patient on patient.id = guardianship.patient_id
where account.id = $1::uuid and account.state = 'active'
