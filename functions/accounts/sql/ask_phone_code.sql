-- Asks for a code to the number of the actor's account; none when it was shown to be theirs already, nor the sixth in a day of
-- an account or to a number. The account is counted first: what it asks for beyond that does not count for the number.
-- $1 who   $2 code   $3 lookup of the number   $4 until   $5 how many a day
with me as (
    select account.id, date(($1::jsonb ->> 'at')::timestamptz at time zone 'UTC') as today
    from account
    where account.id = ($1::jsonb ->> 'account')::uuid and account.state = 'active' and account.phone_verified_at is null
), by_account as (
    insert into phone_code_allowance as so_far (whose, day, codes)
    select encode(sha256(convert_to(me.id || '/' || me.today, 'UTF8')), 'hex'), me.today, 1 from me
    on conflict on constraint phone_code_allowance_pkey
        do update set codes = so_far.codes + 1 where so_far.codes < $5::int8
    returning so_far.day
), by_number as (
    insert into phone_code_allowance as so_far (whose, day, codes)
    select encode(sha256(convert_to($3::text || '/' || by_account.day, 'UTF8')), 'hex'), by_account.day, 1 from by_account
    on conflict on constraint phone_code_allowance_pkey
        do update set codes = so_far.codes + 1 where so_far.codes < $5::int8
    returning so_far.day
), asked as (
    insert into phone_code (id, account_id, phone_lookup, asked_at, expires_at)
    select $2::uuid, me.id, $3::text, ($1::jsonb ->> 'at')::timestamptz, $4::text::timestamptz from me, by_number
    returning id, account_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.phone-code-asked.v1', account_id, jsonb_build_object('account', account_id, 'code', id),
           ($1::jsonb ->> 'at')::timestamptz
    from asked
), recorded as (
    insert into trace
    select line.* from asked, entry($1::jsonb, 'execute', 'account.phone.ask', asked.account_id, null) as line
    union all
    -- Beyond what is sent in a day.
    select line.* from me, entry($1::jsonb, 'execute', 'account.phone.ask', me.id, null, null, 'refused') as line
    where not exists (select from asked)
)
select jsonb_build_object('asked', count(*)) from asked
