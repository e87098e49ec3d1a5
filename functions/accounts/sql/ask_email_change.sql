-- Another address for the actor's account, in place of any asked before: a link to the new address and, where the old one
-- was shown to be the account's, one to it. Of an old one that never was, nobody needs to agree.
-- $1 who   $2 {change, contact, email_lookup, new_link, old_link, ripe_at, until}
with wish as (
    select * from jsonb_to_record($2::jsonb) as wish (
        change uuid, contact text, email_lookup text, new_link uuid, old_link uuid, ripe_at timestamptz, until timestamptz)
), me as (
    select id, contact, email_lookup, email_verified_at from account
    where id = ($1::jsonb ->> 'account')::uuid and state = 'active'
), superseded as (
    update email_change set state = 'cancelled', settled_at = ($1::jsonb ->> 'at')::timestamptz
    from me where email_change.account_id = me.id and email_change.state = 'asked'
    returning email_change.id
), asked as (
    insert into email_change (id, account_id, contact, former, email_lookup, asked_at, ripe_at, expires_at, old_confirmed_at)
    select wish.change, me.id, wish.contact, me.contact, wish.email_lookup, ($1::jsonb ->> 'at')::timestamptz,
           wish.ripe_at, wish.until, case when me.email_verified_at is null then ($1::jsonb ->> 'at')::timestamptz end
    from wish, me, (select count(*) from superseded) before
    returning id, account_id
), links as (
    insert into account_link (id, purpose, account_id, email_change_id, email_lookup, asked_at, expires_at)
    select wish.new_link, 'change-email', asked.account_id, asked.id, wish.email_lookup,
           ($1::jsonb ->> 'at')::timestamptz, wish.until
    from wish, asked
    union all
    select wish.old_link, 'leave-email', asked.account_id, asked.id, me.email_lookup,
           ($1::jsonb ->> 'at')::timestamptz, wish.until
    from wish, asked, me where me.email_verified_at is not null
    returning id, account_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.link-asked.v1', account_id, jsonb_build_object('link', id), ($1::jsonb ->> 'at')::timestamptz from links
), recorded as (
    insert into trace
    select line.* from asked, entry($1::jsonb, 'execute', 'account.email-change.ask', asked.account_id, null) as line
)
select jsonb_build_object('id', id) from asked
