-- Plans a notice of a document for everyone concerned, once per event: those who may see it and are to be told, but whoever
-- deposited it; the practitioner it is from or whose visit it belongs to.
-- $1 event   $2 document   $3 version   $4 now
with of as (
    select * from document where id = $2::uuid and withdrawn_at is null and purged_at is null
), wanted as (
    select 'account' as recipient_kind, account.id as recipient_id, (channels_of(account, 'document'))[1] as channel
    from of join guardianship g on g.patient_id = of.patient_id join account on account.id = g.account_id
    where account.state = 'active' and document_concerns(of, g, $4::text::timestamptz)
    union
    select 'practitioner', practitioner.id, 'email'
    from of
    left join appointment visit on visit.id = of.appointment_id
    join practitioner on practitioner.id = coalesce(of.practitioner_id, visit.practitioner_id)
    where practitioner.email is not null and document_concerns_practitioner(of, practitioner.id, $4::text::timestamptz)
), planned as (
    insert into notice (event_id, document_id, kind, recipient_kind, recipient_id, channel, version, establishment_id, state, why,
                        planned_at, send_at, settled_at)
    -- Nobody prints a letter to say that there is one: whom no channel reaches sees it when they look.
    select $1::uuid, of.id, 'document', wanted.recipient_kind, wanted.recipient_id, coalesce(wanted.channel, 'letter'), $3::int8,
           of.establishment_id, case when wanted.channel is null then 'skipped' else 'planned' end,
           case when wanted.channel is null then 'no channel' end, $4::text::timestamptz, $4::text::timestamptz,
           case when wanted.channel is null then $4::text::timestamptz end
    from of, wanted
    -- Who was told of that version already, and sees it again or still, is not told twice.
    where not exists (select from notice n where n.document_id = of.id and n.version = $3::int8 and n.event_id <> $1::uuid
                      and n.recipient_kind = wanted.recipient_kind and n.recipient_id = wanted.recipient_id
                      and n.state in ('planned', 'sent', 'delivered', 'read'))
    on conflict do nothing
    returning id, state, why
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $4::text::timestamptz, state, coalesce(why, 'event') from planned
)
select jsonb_build_object('planned', count(*)) from planned
