-- Plans a letter to each administrator of the establishment whose webhook was paused, once per event.
-- $1 event   $2 webhook   $3 now
with planned as (
    insert into letter (event_id, account_id, kind, addressee, planned_at)
    select distinct $1::uuid, account.id, 'webhook-paused', 'present', $3::text::timestamptz
    from webhook
    join membership m on m.establishment_id = webhook.establishment_id and m.role = 'administrator'
        and (m.until is null or m.until > $3::text::timestamptz)
    join account on account.id = m.account_id and account.state <> 'closed'
    where webhook.id = $2::uuid
    on conflict on constraint letter_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
