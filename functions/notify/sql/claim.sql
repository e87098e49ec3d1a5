-- Takes a lease on notices that are due, those of one event or any, with all that is needed to write them; and on reminders of the
-- same person's other visits of that day, which are told in one message.
-- $1 event, or null   $2 lease   $3 now   $4 lease until   $5 of which channel, when of no event
-- 48 at a time, and that in so many words: where the number is a parameter PostgreSQL expects a tenth of all that is due, and reads
-- all practitioners and all waiting notices at each call. `offset 0` likewise: the fellows are looked for one by one.
with due_of_channel as (
    select id, kind, recipient_kind, recipient_id, channel, day, step_minutes from notice
    where $1::uuid is null and state = 'planned' and channel <> 'letter' and channel = $5::text
      and coalesce(send_at, planned_at) <= $3::text::timestamptz
      and (lease_until is null or lease_until <= $3::text::timestamptz)
    order by coalesce(send_at, planned_at), recipient_id, id
    limit 48
    for update skip locked
), due_of_event as (
    select id, kind, recipient_kind, recipient_id, channel, day, step_minutes from notice
    where event_id = $1::uuid and state = 'planned' and channel <> 'letter'
      and coalesce(send_at, planned_at) <= $3::text::timestamptz
      and (lease_until is null or lease_until <= $3::text::timestamptz)
    order by coalesce(send_at, planned_at), recipient_id, id
    limit 48
    for update skip locked
), due as (
    select * from due_of_channel union all select * from due_of_event
), beside as (
    select n.id from due join notice n on n.recipient_id = due.recipient_id and n.day = due.day
    where due.kind = 'reminder' and n.kind = 'reminder' and n.state = 'planned' and n.recipient_kind = due.recipient_kind
      and n.channel = due.channel and n.step_minutes = due.step_minutes and n.id not in (select id from due)
      and (n.lease_until is null or n.lease_until <= $3::text::timestamptz)
    for update of n skip locked
), mine as (
    select id from due union select id from beside
), claimed as (
    update notice n set lease = $2::uuid, lease_until = $4::text::timestamptz, attempts = attempts + 1
    where id in (select id from mine)
      -- Where another sender has just laid its hand on one that belongs in the same message, both leave it to whoever looks next.
      and not exists (select from notice fellow
          where n.kind = 'reminder' and fellow.kind = 'reminder' and fellow.state = 'planned'
            and fellow.recipient_id = n.recipient_id and fellow.recipient_kind = n.recipient_kind and fellow.day = n.day
            and fellow.channel = n.channel and fellow.step_minutes = n.step_minutes
            and (fellow.lease_until is null or fellow.lease_until <= $3::text::timestamptz)
            and fellow.id not in (select id from mine) offset 0)
    returning n.*
)
select jsonb_build_object(
    'id', claimed.id, 'kind', claimed.kind, 'channel', claimed.channel, 'recipient_kind', claimed.recipient_kind,
    'recipient', claimed.recipient_id, 'attempts', claimed.attempts, 'counted', claimed.counted,
    'trying_since', claimed.trying_since, 'planned_at', claimed.planned_at, 'step', claimed.step_minutes, 'day', claimed.day,
    'document', claimed.document_id, 'zone', case when d.id is not null then (select time_zone from site
        where site.establishment_id = claimed.establishment_id order by site.id limit 1) end,
    'told', case when claimed.appointment_id is not null then
        jsonb_build_object('version', claimed.version, 'starts_at', claimed.starts_at, 'ends_at', claimed.ends_at) end,
    'told_at', case when claimed.kind = 'reminder' then (select max(n.settled_at) from notice n
        where n.appointment_id = claimed.appointment_id and n.recipient_id = claimed.recipient_id and n.version = claimed.version
          -- Of the same reminder by another channel: it was not looked at, or it did not arrive.
          and n.step_minutes is distinct from claimed.step_minutes and n.kind = 'reminder' and n.state in ('sent', 'delivered', 'read')) end,
    -- Decided again: much may have been hidden, or ended, since it was planned.
    'still_theirs', case
        when claimed.recipient_kind = 'practitioner' and d.id is null then a.practitioner_id = claimed.recipient_id
        when claimed.recipient_kind = 'practitioner' then d.withdrawn_at is null and d.purged_at is null
            and document_concerns_practitioner(d, claimed.recipient_id, $3::text::timestamptz)
        when d.id is null then account.state = 'active' and exists (select from guardianship g
            where g.account_id = account.id and g.patient_id = a.patient_id
              and is_told(g, a.secret_since is not null, $3::text::timestamptz))
        else account.state = 'active' and d.withdrawn_at is null and d.purged_at is null and exists (select from guardianship g
            where g.account_id = account.id and g.patient_id = d.patient_id and document_concerns(d, g, $3::text::timestamptz)) end,
    'reachable', claimed.recipient_kind = 'practitioner' or (
        (told_by_any(claimed.kind) or coalesce(p.wishes -> 'channels' ? claimed.channel, true))
        and reaches(account, claimed.channel, p.sms_stopped_at is not null)),
    'address', practitioner.email, 'contact', account.contact, 'telephone', account.telephone, 'wrapped_key', account.wrapped_key,
    'language', coalesce(account.language, 'fr'), 'preferences', coalesce(p.wishes, '{}'),
    'appointment', case when a.id is not null then appointment_document(a) end,
    'words', (select jsonb_build_object('subject', t.subject, 'body', t.body) from notice_template t
        where claimed.recipient_kind = 'account' and t.establishment_id = claimed.establishment_id and t.kind = claimed.kind
          and t.channel = claimed.channel and t.language = coalesce(account.language, 'fr')))
from claimed
left join appointment a on a.id = claimed.appointment_id
left join document d on d.id = claimed.document_id
left join account on claimed.recipient_kind = 'account' and account.id = claimed.recipient_id
left join practitioner on claimed.recipient_kind = 'practitioner' and practitioner.id = claimed.recipient_id
left join notice_preference p on p.account_id = account.id
order by coalesce(claimed.send_at, claimed.planned_at), claimed.id
