-- Makes the changes of address that wait for nothing any more: confirmed by the new one, and not refused in time by the
-- old one. One whose address another account has meanwhile shown to be its own is dropped, and so is what has expired.
-- $1 who: the system
with due as (
    select change.id,
        change.expires_at <= ($1::jsonb ->> 'at')::timestamptz or exists (
            select from account other where other.email_lookup = change.email_lookup and other.id <> change.account_id
              and other.email_verified_at is not null and other.state <> 'closed') as lost
    from email_change change
    where change.state = 'asked'
      and (change.expires_at <= ($1::jsonb ->> 'at')::timestamptz
           or (change.new_confirmed_at is not null and change.ripe_at <= ($1::jsonb ->> 'at')::timestamptz))
    order by change.id
    limit 500
    for update skip locked
), settled as (
    update email_change change set state = case when due.lost then 'cancelled' else 'done' end,
                                   settled_at = ($1::jsonb ->> 'at')::timestamptz
    from due where change.id = due.id and change.state = 'asked'
    returning change.*
), changed as (
    update account set contact = settled.contact, email_lookup = settled.email_lookup,
                       email_verified_at = ($1::jsonb ->> 'at')::timestamptz
    from settled where account.id = settled.account_id and account.state <> 'closed' and settled.state = 'done'
    returning account.id, settled.id as change_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'email-changed', 'email_change', change_id),
           ($1::jsonb ->> 'at')::timestamptz
    from changed
), recorded as (
    insert into trace
    select line.* from settled, entry($1::jsonb, 'update',
        case settled.state when 'done' then 'account.email-change.done' else 'account.email-change.drop' end,
        settled.account_id, null) as line
)
select jsonb_build_object('settled', count(*)) from settled
