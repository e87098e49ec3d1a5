-- Sets a new password, and ends every other session.
-- $1 who   $2 password hash   $3 the hash that the old password matched
with changed as (
    update account set password_hash = $2::text
    where id = ($1::jsonb ->> 'account')::uuid and state = 'active' and password_hash = $3::text
    returning id
), ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'password changed'
    from changed
    where session.account_id = changed.id and session.revoked_at is null and session.id <> ($1::jsonb ->> 'session')::uuid
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
select jsonb_build_object('id', id) from changed
