-- Plans a letter to the patient's own account and to each guardian who is to be told of what happens, once per event.
-- $1 event   $2 patient   $3 now
with planned as (
    insert into letter (event_id, account_id, kind, addressee, planned_at)
    select distinct $1::uuid, account.id, 'emergency', 'present', $3::text::timestamptz
    from guardianship join account on account.id = guardianship.account_id
    where guardianship.patient_id = $2::uuid and account.state <> 'closed'
      and in_force(guardianship, $3::text::timestamptz)
      and (guardianship.relation = 'self' or 'notices' = any (guardianship.rights))
    on conflict on constraint letter_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
