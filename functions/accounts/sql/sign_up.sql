-- An account with its own patient file.
-- $1 who (nobody yet)
-- $2 {account, account_key, contact, email_lookup, password_hash, language, patient, patient_key, identity, twin_lookup,
-- private_from, adult_from}
with opened as (
    insert into account (id, wrapped_key, contact, email_lookup, password_hash, language, created_at)
    values (($2::jsonb ->> 'account')::uuid, $2::jsonb ->> 'account_key', $2::jsonb ->> 'contact',
            $2::jsonb ->> 'email_lookup', $2::jsonb ->> 'password_hash', $2::jsonb ->> 'language',
            ($1::jsonb ->> 'at')::timestamptz)
    returning id
), counted as (
    insert into resource (id, kind) select ($2::jsonb ->> 'patient')::uuid, 'patient' from opened
), filed as (
    insert into patient (id, wrapped_key, identity, twin_lookup, private_from, adult_from, created_at)
    select ($2::jsonb ->> 'patient')::uuid, $2::jsonb ->> 'patient_key', $2::jsonb ->> 'identity',
           $2::jsonb ->> 'twin_lookup', ($2::jsonb ->> 'private_from')::timestamptz,
           ($2::jsonb ->> 'adult_from')::timestamptz, ($1::jsonb ->> 'at')::timestamptz
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
