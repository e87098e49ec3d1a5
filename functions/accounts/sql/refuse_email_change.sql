-- Refuses a change of address from the old mailbox. Who asked for it knew the password: it is good no more, and
-- every session ends.
-- $1 who (nobody)   $2 link
with refused as (
    update account_link link set used_at = coalesce(link.used_at, ($1::jsonb ->> 'at')::timestamptz)
    from email_change change
    where link.id = $2::uuid and link.purpose = 'leave-email' and link.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and change.id = link.email_change_id and change.state = 'asked'
    returning change.id, change.account_id
), cancelled as (
    update email_change set state = 'cancelled', settled_at = ($1::jsonb ->> 'at')::timestamptz
    from refused where email_change.id = refused.id and email_change.state = 'asked'
    returning email_change.account_id
), locked as (
    -- The next is chosen from the mailbox.
    update account set password_hash = '-' from cancelled where account.id = cancelled.account_id returning account.id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'email-change-cancelled'),
           ($1::jsonb ->> 'at')::timestamptz
    from cancelled
), recorded as (
    insert into trace
    select line.* from cancelled, entry($1::jsonb || jsonb_build_object('account', cancelled.account_id),
        'update', 'account.email-change.refuse', cancelled.account_id, null) as line
)
select jsonb_build_object('id', id, 'ended', end_sessions(id, ($1::jsonb ->> 'at')::timestamptz, 'email change refused')) from locked
