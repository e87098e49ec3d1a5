-- The number of the actor's account, still sealed, and the code that was asked for last.
-- $1 who
select jsonb_build_object(
    'id', account.id, 'wrapped_key', account.wrapped_key, 'contact', account.contact, 'telephone', account.telephone,
    'email_verified', account.email_verified_at is not null,
    'code', (select jsonb_build_object('id', id, 'phone_lookup', phone_lookup)
             from phone_code where account_id = account.id order by asked_at desc, id desc limit 1))
from account
where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active'
