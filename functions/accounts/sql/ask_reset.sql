-- A link to a new password for whoever has an address. Whether anybody has is not looked up here: it is when the mail is
-- written, so that the answer takes as long for an address that nobody has.
-- $1 who (nobody)   $2 link   $3 lookup of the e-mail   $4 until
with asked as (
    insert into account_link (id, purpose, email_lookup, asked_at, expires_at)
    values ($2::uuid, 'reset-password', $3::text, ($1::jsonb ->> 'at')::timestamptz, $4::text::timestamptz)
    returning id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.link-asked.v1', id, jsonb_build_object('link', id), ($1::jsonb ->> 'at')::timestamptz from asked
), recorded as (
    insert into trace select line.* from asked, entry($1::jsonb, 'execute', 'account.password.ask', asked.id, null) as line
)
select jsonb_build_object('asked', count(*)) from asked
