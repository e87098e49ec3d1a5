-- Forgets what counts no more: counts whose window has ended, challenges that nobody answered, apps that never showed a
-- code within a day, addresses from which nobody signed in for half a year.
-- $1 now   $2 how many of each at most
with attempts as (
    delete from sign_in_attempt where key in (
        select key from sign_in_attempt where window_ends <= $1::text::timestamptz and pending_until <= $1::text::timestamptz
        limit $2::int8 for update skip locked)
    returning 1
), ceremonies as (
    delete from passkey_ceremony where id in (
        select id from passkey_ceremony where expires_at <= $1::text::timestamptz limit $2::int8 for update skip locked)
    returning 1
), apps as (
    delete from second_factor where id in (
        select id from second_factor where confirmed_at is null and created_at <= $1::text::timestamptz - interval '1 day'
        limit $2::int8 for update skip locked)
    returning 1
), addresses as (
    delete from known_address where (account_id, address) in (
        select account_id, address from known_address where last_at <= $1::text::timestamptz - interval '180 days'
        limit $2::int8 for update skip locked)
    returning 1
)
select jsonb_build_object('swept', (select count(*) from attempts) + (select count(*) from ceremonies)
                                   + (select count(*) from apps) + (select count(*) from addresses))
