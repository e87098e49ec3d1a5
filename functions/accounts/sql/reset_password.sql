-- Sets a new password by a link that is good once, and ends every session and what was asked for under the old one. Whoever holds the mailbox has shown the address
-- to be the account's, unless another account did before.
-- $1 who (nobody)   $2 link   $3 password hash   $4 keyed hash of where the request comes from   $5 key of the count of strangers' failures
with used as (
    update account_link link set used_at = ($1::jsonb ->> 'at')::timestamptz
    from account
    where link.id = $2::uuid and link.purpose = 'reset-password' and link.used_at is null
      and link.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and account.id = link.account_id and account.email_lookup = link.email_lookup and account.state = 'active'
    returning link.id, link.account_id, link.email_lookup, account.email_verified_at is null as unproven
), reset as (
    update account set
        password_hash = $3::text,
        email_verified_at = case
            when account.email_verified_at is null and not exists (
                select from account other where other.email_lookup = used.email_lookup
                  and other.email_verified_at is not null and other.state <> 'closed')
            then ($1::jsonb ->> 'at')::timestamptz else account.email_verified_at end,
        -- A number that was shown while the address was only claimed is that of whoever claimed it.
        phone_verified_at = case when not used.unproven then account.phone_verified_at end
    from used where account.id = used.account_id
    returning account.id
), spent as (
    update account_link link set used_at = ($1::jsonb ->> 'at')::timestamptz
    from used where link.account_id = used.account_id and link.id <> used.id and link.used_at is null
      and link.purpose in ('reset-password', 'verify-email')
), cancelled as (
    -- Who asked for another address may be whom the old password was stolen by.
    update email_change set state = 'cancelled', settled_at = ($1::jsonb ->> 'at')::timestamptz
    from reset where email_change.account_id = reset.id and email_change.state = 'asked'
), factors as (
    -- Other ways in that were added while the address was only claimed are whoever's it was that claimed it.
    delete from second_factor using used where second_factor.account_id = used.account_id and used.unproven
), codes as (
    delete from recovery_code using used where recovery_code.account_id = used.account_id and used.unproven
), identities as (
    delete from external_identity using used where external_identity.account_id = used.account_id and used.unproven
), invited as (
    delete from invitation using used where invitation.invited_by = used.account_id and invitation.accepted_at is null and used.unproven
), brought_in as (
    -- Whom they brought in to act for a patient may be theirs too.
    update guardianship other set until = ($1::jsonb ->> 'at')::timestamptz, ended_at = ($1::jsonb ->> 'at')::timestamptz
    from used
    where used.unproven and other.invited_by = used.account_id and other.account_id <> used.account_id
      and (other.until is null or other.until > ($1::jsonb ->> 'at')::timestamptz)
    returning other.id, other.patient_id
), at_version as (
    update patient set guardians_version = guardians_version + 1
    where id in (select patient_id from brought_in)
), met as (
    -- Whoever reads the mailbox is at home there: strangers' failures do not stand in the way of the new password.
    insert into known_address (account_id, address, last_at)
    select reset.id, $4::text, ($1::jsonb ->> 'at')::timestamptz from reset
    on conflict on constraint known_address_pkey do update set last_at = excluded.last_at
), forgiven as (
    -- What strangers tried under the old password stands in nobody's way any more, from wherever they go on.
    update sign_in_attempt set failures = 0 from reset where sign_in_attempt.key = $5::text
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'password-reset'), ($1::jsonb ->> 'at')::timestamptz
    from reset
), recorded as (
    insert into trace
    select line.* from reset,
        entry($1::jsonb || jsonb_build_object('account', reset.id), 'update', 'account.password.reset', reset.id, null) as line
    union all
    select line.* from brought_in, used, entry($1::jsonb || jsonb_build_object('account', used.account_id),
        'delete', 'guardianship.end', brought_in.id, brought_in.patient_id) as line
)
select jsonb_build_object('id', id, 'ended', end_sessions(id, ($1::jsonb ->> 'at')::timestamptz, 'password reset')) from reset
