-- Whether a code is still to be sent, in our hands or another's.
-- $1 code
select jsonb_build_object('waiting', count(*)) from phone_code where id = $1::uuid and state = 'planned'
