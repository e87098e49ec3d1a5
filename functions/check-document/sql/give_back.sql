-- Gives a lease back: the version is judged another time, and is in quarantine meanwhile where the scanner is away.
-- Attempts are those that came to no end of their own.
-- $1 document   $2 version   $3 lease   $4 state
with given_back as (
    update document_version set state = $4::text, lease = null, lease_until = null, attempts = attempts - 1
    where document_id = $1::uuid and number = $2::int8 and lease = $3::uuid
    returning 1
)
select jsonb_build_object('given_back', count(*)) from given_back
