-- Takes an address as the actor's own: the link that was mailed to it came back. Sent again, it says the same.
-- $1 who   $2 link
with proven as (
    select account.id, account.email_verified_at
    from account_link link join account on account.id = link.account_id and account.email_lookup = link.email_lookup
    where link.id = $2::uuid and link.purpose = 'verify-email' and link.account_id = ($1::jsonb ->> 'account')::uuid
      and account.state = 'active'
      and (account.email_verified_at is not null
           or (link.used_at is null and link.expires_at > ($1::jsonb ->> 'at')::timestamptz))
), verified as (
    update account set email_verified_at = ($1::jsonb ->> 'at')::timestamptz
    from proven where account.id = proven.id and proven.email_verified_at is null
    returning account.id
), used as (
    -- The others that were mailed meanwhile have nothing left to do.
    update account_link set used_at = ($1::jsonb ->> 'at')::timestamptz
    from verified where account_link.account_id = verified.id and purpose = 'verify-email' and used_at is null
), recorded as (
    insert into trace
    select line.* from verified, entry($1::jsonb, 'update', 'account.email.verify', verified.id, null) as line
)
select jsonb_build_object('id', id) from proven
