-- Judges a code that was typed: a right one shows the number to be the actor's, once; a wrong one counts. It is judged on the
-- row as it is once it is ours: of many at once no more are looked at than may be wrong. Nothing comes back when the account
-- has another contact or telephone than when they were read.
-- $1 who   $2 code   $3 whether it is the right one   $4 how many may be wrong   $5 contact   $6 telephone
with me as (
    select account.id from account
    where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active'
      and account.contact is not distinct from $5::text and account.telephone is not distinct from $6::text
    for no key update
), judged as (
    update phone_code set
        tries = phone_code.tries + case when $3::bool then 0 else 1 end,
        used_at = case when $3::bool then ($1::jsonb ->> 'at')::timestamptz end
    from me
    where phone_code.id = $2::uuid and phone_code.account_id = me.id and phone_code.used_at is null
      and phone_code.tries < $4::int8 and phone_code.expires_at > ($1::jsonb ->> 'at')::timestamptz
    returning phone_code.account_id, phone_code.phone_lookup
), verified as (
    update account set phone_verified_at = ($1::jsonb ->> 'at')::timestamptz, phone_lookup = judged.phone_lookup
    from judged where account.id = judged.account_id and $3::bool
    returning account.id
), recorded as (
    insert into trace
    select line.* from verified, entry($1::jsonb, 'update', 'account.phone.verify', verified.id, null) as line
    union all
    select line.* from me, entry($1::jsonb, 'update', 'account.phone.verify', me.id, null, null, 'failed') as line
    where not exists (select from verified)
)
select jsonb_build_object('verified', exists (select from verified)) from me
