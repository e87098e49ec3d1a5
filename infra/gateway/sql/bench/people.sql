-- $1 the run   $2 how many   $3 now. Accounts with three patients each, made for one run; nobody signs in as them.
-- Returns [account, patient] pairs.
with person as materialized (
    select gen_random_uuid() as id, n / 3 as family from generate_series(0, $2::bigint - 1) as n
), family as materialized (
    select family, gen_random_uuid() as id from person group by family
), accounts as (
    insert into account (id, email_lookup, password_hash, created_at)
    select id, $1::text || '.' || family, 'none', $3::text::timestamptz from family
), resources as (
    insert into resource (id, kind) select id, 'patient' from person
), patients as (
    insert into patient (id, created_at)
    select id, $3::text::timestamptz from person
), sessions as (
    -- Its own id for its only session's: whoever writes the token need not ask.
    insert into session (id, account_id, created_at, expires_at)
    select id, id, $3::text::timestamptz, 'infinity' from family
), guardianships as (
    insert into guardianship (account_id, patient_id, relation, since)
    select family.id, person.id, 'parent', $3::text::timestamptz from person join family using (family)
)
select family.id, person.id from person join family using (family)
