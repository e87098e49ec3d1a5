-- An account with its own patient file.
-- $1 who (nobody yet)
-- $2 {account, email, password_hash, phone, language, patient, given_name, family_name, birth_date, wrapped_key}
with opened as (
    insert into account (id, email, password_hash, phone, language, created_at)
    values (($2::jsonb ->> 'account')::uuid, $2::jsonb ->> 'email', $2::jsonb ->> 'password_hash', $2::jsonb ->> 'phone',
            $2::jsonb ->> 'language', ($1::jsonb ->> 'at')::timestamptz)
    returning id
), counted as (
    insert into resource (id, kind) select ($2::jsonb ->> 'patient')::uuid, 'patient' from opened
), filed as (
    insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
    select ($2::jsonb ->> 'patient')::uuid, $2::jsonb ->> 'given_name', $2::jsonb ->> 'family_name',
           ($2::jsonb ->> 'birth_date')::date, $2::jsonb ->> 'wrapped_key', ($1::jsonb ->> 'at')::timestamptz
    from opened
    returning id
), linked as (
    insert into guardianship (account_id, patient_id, relation, since)
    select opened.id, filed.id, 'self', ($1::jsonb ->> 'at')::timestamptz from opened, filed
), recorded as (
    insert into trace
    select line.* from opened, filed,
        entry($1::jsonb || jsonb_build_object('account', opened.id), 'create', 'account.open', opened.id, filed.id) as line
)
select jsonb_build_object('id', opened.id, 'patient', filed.id) from opened, filed
