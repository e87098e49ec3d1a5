-- Erases what settled changes of address knew, once the letters about them are written, and links and codes long past their
-- time.
-- $1 now
with erased as (
    update email_change set contact = null, former = null, email_lookup = null
    where state <> 'asked' and contact is not null and settled_at < $1::text::timestamptz - interval '7 days'
    returning id
), dropped as (
    delete from account_link
    where id in (select id from account_link where expires_at < $1::text::timestamptz - interval '30 days' limit 1000)
    returning id
), uncoded as (
    delete from phone_code
    where id in (select id from phone_code where expires_at < $1::text::timestamptz - interval '30 days' limit 1000)
), recounted as (
    delete from phone_code_allowance where day < ($1::text::timestamptz at time zone 'UTC')::date - 1
), reset as (
    delete from letter_allowance where day < ($1::text::timestamptz at time zone 'UTC')::date - 1
)
select jsonb_build_object('erased', (select count(*) from erased), 'dropped', (select count(*) from dropped))
