-- Unlinks the actor's identity of a provider, and ends the sessions it opened. Not from an account that could then be entered
-- in no other way: without an address that it has shown to be its own there is no new password.
-- $1 who   $2 provider
with gone as (
    delete from external_identity using account
    where external_identity.account_id = ($1::jsonb ->> 'account')::uuid and external_identity.provider = $2::text
      and account.id = external_identity.account_id and account.email_verified_at is not null
    returning external_identity.account_id
), ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'identity unlinked'
    from gone
    where session.account_id = gone.account_id and session.provider = $2::text and session.revoked_at is null
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'identity-unlinked'),
           ($1::jsonb ->> 'at')::timestamptz
    from gone
), recorded as (
    insert into trace select line.* from gone, entry($1::jsonb, 'delete', 'identity.unlink', gone.account_id, null) as line
)
select jsonb_build_object('gone', count(*)) from gone
