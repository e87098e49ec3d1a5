-- Sets a new password, and ends every other session, addresses of calendars, and what was asked for under the old one.
-- $1 who   $2 password hash   $3 the hash that the old password matched
with changed as (
    update account set password_hash = $2::text
    where id = ($1::jsonb ->> 'account')::uuid and state = 'active' and password_hash = $3::text
    returning id
), cancelled as (
    -- Who asked for another address may be whom the old password was stolen by.
    update email_change set state = 'cancelled', settled_at = ($1::jsonb ->> 'at')::timestamptz
    from changed where email_change.account_id = changed.id and email_change.state = 'asked'
), spent as (
    update account_link link set used_at = ($1::jsonb ->> 'at')::timestamptz
    from changed where link.account_id = changed.id and link.used_at is null and link.purpose = 'reset-password'
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'password-changed'), ($1::jsonb ->> 'at')::timestamptz
    from changed
), recorded as (
    insert into trace select line.* from changed, entry($1::jsonb, 'update', 'account.password.change', changed.id, null) as line
)
select jsonb_build_object('id', id, 'ended', end_sessions(
    id, ($1::jsonb ->> 'at')::timestamptz, 'password changed', ($1::jsonb ->> 'session')::uuid)) from changed
