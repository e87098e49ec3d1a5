-- Another number for the actor's account, or none, which nobody has shown to be theirs. What hangs on the former one goes with it:
-- who holds that now answers nothing of theirs (the triggers on `account`).
-- $1 who   $2 telephone, sealed   $3 the hash that the password matched
with changed as (
    update account set telephone = $2::text, phone_verified_at = null
    where id = ($1::jsonb ->> 'account')::uuid and state = 'active' and password_hash = $3::text
    returning id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'phone-changed'), ($1::jsonb ->> 'at')::timestamptz
    from changed
), recorded as (
    insert into trace select line.* from changed, entry($1::jsonb, 'update', 'account.phone.change', changed.id, null) as line
)
select jsonb_build_object('id', id) from changed
