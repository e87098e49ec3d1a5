-- Another link by which the actor's address is shown to be theirs; none when it was already.
-- $1 who   $2 link   $3 until
with asked as (
    insert into account_link (id, purpose, account_id, email_lookup, asked_at, expires_at)
    select $2::uuid, 'verify-email', account.id, account.email_lookup, ($1::jsonb ->> 'at')::timestamptz, $3::text::timestamptz
    from account
    where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active' and account.email_lookup is not null
      and account.email_verified_at is null
    returning id, account_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.link-asked.v1', account_id, jsonb_build_object('link', id), ($1::jsonb ->> 'at')::timestamptz from asked
), recorded as (
    insert into trace
    select line.* from asked, entry($1::jsonb, 'execute', 'account.email.ask', asked.account_id, null) as line
)
select jsonb_build_object('asked', count(*)) from asked
