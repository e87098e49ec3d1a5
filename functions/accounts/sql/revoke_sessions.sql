-- Ends the sessions of an account, of all accounts of an address, or of everybody, after an operator's word. Whose sessions
-- end is told, unless it is everybody.
-- $1 who   $2 account   $3 lookup of the e-mail   $4 whether everybody   $5 why: a word
with ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'by an operator: ' || $5::text
    from account
    where session.account_id = account.id and session.revoked_at is null
      and session.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and may($1::jsonb, 'session', 'delete', null, null, null)
      and ($4::bool or account.id = $2::uuid or account.email_lookup = $3::text)
    returning session.id, session.account_id
), whose as (
    select distinct account_id from ended where not $4::bool
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', account_id, jsonb_build_object('account', account_id, 'what', 'sessions-ended'),
           ($1::jsonb ->> 'at')::timestamptz
    from whose
), recorded as (
    insert into trace
    select line.* from whose, entry($1::jsonb, 'delete', 'session.revoke.' || $5::text, whose.account_id, null) as line
    union all
    -- Also when there was nothing to end.
    select line.* from entry($1::jsonb, 'delete', case when $4::bool then 'session.revoke-all.' else 'session.revoke.' end || $5::text,
                             $2::uuid, null) as line
    where not exists (select from whose)
)
select jsonb_build_object('ended', count(*)) from ended
