-- What a password is checked against.
-- $1 e-mail
select jsonb_build_object('id', id, 'password_hash', password_hash) from account where email_key = lower($1::text)
