-- Plans the letter that tells the holder what was done to the account, once per event; of a new address, to the old one too.
-- $1 event   $2 account   $3 what   $4 change of address, if that is what   $5 now
with planned as (
    insert into letter (event_id, account_id, kind, what, addressee, email_change_id, planned_at)
    select $1::uuid, account.id, 'secured', $3::text, addressee, $4::uuid, $5::text::timestamptz
    from account, unnest(case when $4::uuid is null then '{present}'::text[] else '{present,former}'::text[] end) addressee
    where account.id = $2::uuid and account.state <> 'closed'
    on conflict on constraint letter_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
