-- The actor's account as they see it, and the trace of the reading.
-- $1 who
with me as (
    select account.* from account where id = ($1::jsonb ->> 'account')::uuid and state = 'active'
), recorded as (
    insert into trace select line.* from me, entry($1::jsonb, 'read', 'account.read', me.id, null) as line
)
select jsonb_build_object(
    'id', me.id, 'wrapped_key', me.wrapped_key, 'contact', me.contact, 'telephone', me.telephone, 'language', me.language,
    'email_verified', me.email_verified_at is not null, 'phone_verified', me.phone_verified_at is not null,
    'created_at', me.created_at,
    'email_change', (
        select jsonb_build_object('contact', contact, 'asked_at', asked_at, 'confirmed_by_new', new_confirmed_at is not null,
                                  'confirmed_by_old', old_confirmed_at is not null, 'unopposed_from', ripe_at)
        from email_change
        where account_id = me.id and email_change.state = 'asked' and expires_at > ($1::jsonb ->> 'at')::timestamptz))
from me
