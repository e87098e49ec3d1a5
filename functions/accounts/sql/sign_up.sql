-- An account with its own patient file, and the link by which the address is shown to be its own.
-- $1 who (nobody yet)
-- $2 {account, account_key, contact, email_lookup, password_hash, language, patient, patient_key, identity, twin_lookup,
--     private_from, adult_from, link, link_until}
with opened as (
    insert into account (id, wrapped_key, contact, email_lookup, password_hash, language, created_at)
    values (($2::jsonb ->> 'account')::uuid, $2::jsonb ->> 'account_key', $2::jsonb ->> 'contact',
            $2::jsonb ->> 'email_lookup', $2::jsonb ->> 'password_hash', $2::jsonb ->> 'language',
            ($1::jsonb ->> 'at')::timestamptz)
    returning id, email_lookup
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
), asked as (
    insert into account_link (id, purpose, account_id, email_lookup, asked_at, expires_at)
    select ($2::jsonb ->> 'link')::uuid, 'verify-email', opened.id, opened.email_lookup,
           ($1::jsonb ->> 'at')::timestamptz, ($2::jsonb ->> 'link_until')::timestamptz
    from opened
    returning id, account_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.opened.v1', account_id, jsonb_build_object('account', account_id, 'link', id),
           ($1::jsonb ->> 'at')::timestamptz
    from asked
), recorded as (
    insert into trace
    select line.* from opened, filed,
        entry($1::jsonb || jsonb_build_object('account', opened.id), 'create', 'account.open', opened.id, filed.id) as line
)
select jsonb_build_object('id', opened.id, 'patient', filed.id) from opened, filed
