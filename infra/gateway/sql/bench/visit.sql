-- $1 mailbox   $2 visit   $3 its beginning   $4 now. One more visit in the agenda beside a mailbox, and the event that says so. No reservation:
-- nothing is booked here.
with like_another as (
    -- Of the same practitioner, or of anybody where they have none.
    select m.practitioner_id, a.patient_id, a.site_id, a.reason_id, a.channel
    from exchange_mailbox m, lateral (
        (select * from appointment where practitioner_id = m.practitioner_id limit 1) union all (select * from appointment limit 1)
    ) a where m.id = $1::uuid limit 1
), visit as (
    insert into appointment (id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, status, created_at, agreed_at)
    select $2::uuid, practitioner_id, patient_id, site_id, reason_id, channel, $3::text::timestamptz,
           $3::text::timestamptz + interval '15 min', 'booked', $4::text::timestamptz, $4::text::timestamptz
    from like_another
    returning id
)
insert into outbox (kind, subject, data, occurred_at)
select 'appointment.booked.v1', id, jsonb_build_object('appointment', id), $4::text::timestamptz from visit
