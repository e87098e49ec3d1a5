-- Closes the actor's account: nobody acts in it or through it any more, and what told who its holder was is gone with its
-- key. The patients' records stay, for as long as the law wants them kept. Says why not, when not.
-- $1 who   $2 the hash that the password matched
with me as (
    select account.id, account.platform_role is not null or exists (
            select from membership m where m.account_id = account.id
              and (m.until is null or m.until > ($1::jsonb ->> 'at')::timestamptz)) as employed,
        needed_for_a_visit(account.id, ($1::jsonb ->> 'at')::timestamptz) as needed
    from account
    where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active' and account.password_hash = $2::text
), closed as (
    update account set state = 'closed', closed_at = ($1::jsonb ->> 'at')::timestamptz, wrapped_key = null, contact = null,
                       email_lookup = null, email = null, phone = null, telephone = null, email_verified_at = null, phone_verified_at = null,
                       password_hash = '-'
    from me where account.id = me.id and not me.employed and not me.needed
    returning account.id
), ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'account closed'
    from closed where session.account_id = closed.id and session.revoked_at is null
), released as (
    update guardianship set until = ($1::jsonb ->> 'at')::timestamptz, ended_at = ($1::jsonb ->> 'at')::timestamptz
    from closed
    where guardianship.account_id = closed.id and guardianship.ended_at is null
      and (guardianship.until is null or guardianship.until > ($1::jsonb ->> 'at')::timestamptz)
    returning guardianship.patient_id
), at_version as (
    update patient set guardians_version = guardians_version + 1 from released where patient.id = released.patient_id
), withdrawn as (
    -- So that the person can be validated again. A suspension is not shed by closing: an operator ends it.
    update professional set state = 'withdrawn', decided_at = ($1::jsonb ->> 'at')::timestamptz, decided_by = null, reason = '',
        reason_key = null, sealed_reason = null
    from closed where professional.account_id = closed.id and professional.state in ('pending', 'validated')
    returning professional.id
), unnamed as (
    -- How former colleagues called them.
    update membership set name = '', name_key = null, sealed_name = null
    from closed where membership.account_id = closed.id
), forgotten as (
    update email_change set contact = null, former = null, email_lookup = null,
        state = case state when 'asked' then 'cancelled' else state end,
        settled_at = coalesce(settled_at, ($1::jsonb ->> 'at')::timestamptz)
    from closed where email_change.account_id = closed.id
), unlinked as (
    update account_link set email_lookup = '-', used_at = coalesce(used_at, ($1::jsonb ->> 'at')::timestamptz)
    from closed where account_link.account_id = closed.id
), uncalled as (
    delete from phone_code using closed where phone_code.account_id = closed.id
), unreached as (
    delete from push_subscription using closed where push_subscription.account_id = closed.id
), unwished as (
    delete from notice_preference using closed where notice_preference.account_id = closed.id
), unanswered as (
    -- Nobody answers for them from their number any more.
    update notice set to_lookup = null from closed where notice.recipient_id = closed.id and notice.to_lookup is not null
), unarmed as (
    delete from second_factor using closed where second_factor.account_id = closed.id
), uncoded as (
    delete from recovery_code using closed where recovery_code.account_id = closed.id
), unchallenged as (
    delete from passkey_ceremony using closed where passkey_ceremony.account_id = closed.id
), unfed as (
    delete from calendar_feed using closed where calendar_feed.account_id = closed.id
), nowhere as (
    delete from known_address using closed where known_address.account_id = closed.id
), unknown as (
    -- Whoever comes with the provider's identity again opens an account of their own.
    delete from external_identity using closed where external_identity.account_id = closed.id
), recorded as (
    insert into trace
    select line.* from closed, entry($1::jsonb, 'delete', 'account.close', closed.id, null) as line
    union all
    select line.* from withdrawn, entry($1::jsonb, 'update', 'professional.withdraw', withdrawn.id, null) as line
    union all
    select line.* from released, entry($1::jsonb, 'delete', 'guardianship.end', null, released.patient_id) as line
)
select jsonb_build_object('employed', me.employed, 'needed', me.needed, 'closed', exists (select from closed)) from me
