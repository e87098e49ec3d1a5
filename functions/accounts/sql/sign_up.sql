-- An account with its own patient file.
-- $1 account  $2 {email, password_hash, phone, language, patient, given_name, family_name, birth_date, wrapped_key, request_id}  $3 now
with opened as (
    insert into account (id, email, password_hash, phone, language, created_at)
    values ($1::uuid, $2::jsonb ->> 'email', $2::jsonb ->> 'password_hash', $2::jsonb ->> 'phone', $2::jsonb ->> 'language',
            $3::text::timestamptz)
    returning id
), counted as (
    insert into resource (id, kind) select ($2::jsonb ->> 'patient')::uuid, 'patient' from opened
), filed as (
    insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
    select ($2::jsonb ->> 'patient')::uuid, $2::jsonb ->> 'given_name', $2::jsonb ->> 'family_name',
           ($2::jsonb ->> 'birth_date')::date, $2::jsonb ->> 'wrapped_key', $3::text::timestamptz
    from opened
    returning id
), linked as (
    insert into guardianship (account_id, patient_id, relation, since)
    select opened.id, filed.id, 'self', $3::text::timestamptz from opened, filed
), recorded as (
    insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
    select $3::text::timestamptz, 'account', opened.id, 'create', 'account.open', opened.id, filed.id, $2::jsonb ->> 'request_id'
    from opened, filed
)
select jsonb_build_object('id', opened.id, 'patient', filed.id) from opened, filed
