-- Plans the letter that carries a link, once per event; not the sixth of its kind to an address in a day, but for a new
-- password one more once the link before has died: who floods a mailbox leaves a good link in it. To an address
-- that another account has shown to be its own no link goes: its holder hears of the claim. A new password is for the
-- account that has shown the address, or else for the oldest that claims it. What lets an old address object to a change is
-- not counted: a flood of wishes must not silence it.
-- $1 event   $2 link   $3 now   $4 how many a day   $5 life of a link to a new password, in seconds
with link as (
    select * from account_link where id = $2::uuid
), holder as (
    select account.id, account.state from link join account on account.email_lookup = link.email_lookup
    where account.email_verified_at is not null and account.state <> 'closed'
), claimant as (
    select account.id from link join account on account.email_lookup = link.email_lookup
    where account.email_verified_at is null and account.state = 'active' and not exists (select from holder)
    order by account.created_at, account.id limit 1
), wanted as (
    select holder.id as account_id, 'claimed' as kind, 'present' as addressee, null::uuid as link_id, null::uuid as change_id
    from link, holder
    where link.purpose in ('verify-email', 'change-email') and holder.id <> link.account_id and holder.state = 'active'
    union all
    select link.account_id, link.purpose, case link.purpose when 'change-email' then 'new' else 'present' end, link.id,
           link.email_change_id
    from link
    where link.purpose = 'leave-email'
       or (link.purpose in ('verify-email', 'change-email') and not exists (select from holder))
    union all
    select whose.id, link.purpose, 'present', link.id, null
    from link, lateral (
        select coalesce(link.account_id, (select id from holder where state = 'active'), (select id from claimant)) as id) whose
    where link.purpose = 'reset-password' and whose.id is not null
), bound as (
    update account_link set account_id = wanted.account_id
    from wanted where account_link.id = wanted.link_id and account_link.account_id is null
), fresh as (
    select wanted.* from wanted
    where not exists (select from letter where letter.event_id = $1::uuid and letter.account_id = wanted.account_id
                        and letter.kind = wanted.kind and letter.addressee = wanted.addressee)
), counted as (
    insert into letter_allowance as so_far (address, kind, day, letters, last_at)
    select encode(sha256(convert_to(link.email_lookup || '/' || today, 'UTF8')), 'hex'), fresh.kind, today, 1, $3::text::timestamptz
    from fresh, link, date(($3::text::timestamptz at time zone 'UTC')) today
    where fresh.kind <> 'leave-email'
    on conflict on constraint letter_allowance_pkey
        do update set letters = so_far.letters + 1, last_at = excluded.last_at
        where so_far.letters < $4::int8
           or (so_far.kind = 'reset-password' and so_far.last_at <= excluded.last_at - make_interval(secs => $5::int8))
    returning kind
), planned as (
    insert into letter (event_id, account_id, kind, addressee, link_id, email_change_id, state, why, planned_at, settled_at)
    select $1::uuid, fresh.account_id, fresh.kind, fresh.addressee, fresh.link_id, fresh.change_id,
           case when enough then 'skipped' else 'planned' end, case when enough then 'enough today' end,
           $3::text::timestamptz, case when enough then $3::text::timestamptz end
    from fresh, lateral (
        select fresh.kind <> 'leave-email' and not exists (select from counted) as enough) so_far
    on conflict on constraint letter_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
