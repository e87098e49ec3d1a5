-- $1 account   $2 patient   $3 session   $4 the patient's key, wrapped   $5 now. Somebody with a record of their own, signed in.
with accounts as (
    insert into account (id, password_hash, created_at) values ($1, 'none', $5::text::timestamptz)
), resources as (
    insert into resource (id, kind) values ($2, 'patient')
), patients as (
    insert into patient (id, wrapped_key, created_at) values ($2, $4, $5::text::timestamptz)
), sessions as (
    insert into session (id, account_id, created_at, expires_at) values ($3, $1, $5::text::timestamptz, 'infinity')
)
insert into guardianship (account_id, patient_id, relation, since) values ($1, $2, 'self', $5::text::timestamptz)
