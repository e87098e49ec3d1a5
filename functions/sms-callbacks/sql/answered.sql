-- What somebody answered to the last text message to their number, or to the one that they answer. STOP holds for every account that was
-- written to at that number. The same answer twice is one.
-- $1 who (the system)   $2 'stop', 'cancel' or 'confirm'   $3 keyed hash of the number   $4 provider   $5 the message, if the provider says
-- $6 sent after
with answered as (
    select n.* from notice n
    where n.to_lookup = $3::text and n.channel = 'sms' and n.settled_at > $6::text::timestamptz
      and n.state in ('sent', 'delivered', 'read')
      and ($5::text is null or (n.provider = $4::text and n.reference = $5::text))
      and ($2::text = 'stop' or (n.appointment_id is not null and n.starts_at > ($1::jsonb ->> 'at')::timestamptz
                                 and n.kind <> 'cancellation'))
    order by n.settled_at desc, n.id limit 1
), noted as (
    update notice set reply = $2::text from answered where notice.id = answered.id and notice.reply is distinct from $2::text
    returning notice.id, notice.appointment_id, notice.version, notice.recipient_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'appointment.cancellation-asked.v1', appointment_id,
           jsonb_build_object('appointment', appointment_id, 'version', version, 'account', recipient_id, 'notice', id),
           ($1::jsonb ->> 'at')::timestamptz
    from noted where $2::text = 'cancel'
), written_to as (
    select distinct n.recipient_id from notice n join account on account.id = n.recipient_id
    where $2::text = 'stop' and n.to_lookup = $3::text and n.recipient_kind = 'account'
), stopped as (
    insert into notice_preference as p (account_id, wishes, sms_stopped_at, updated_at)
    select recipient_id, '{}', ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'at')::timestamptz from written_to
    on conflict on constraint notice_preference_pkey do update
        set sms_stopped_at = coalesce(p.sms_stopped_at, excluded.sms_stopped_at), updated_at = excluded.updated_at
        where p.sms_stopped_at is null
    returning p.account_id
), recorded as (
    insert into trace
    select line.* from stopped, entry($1::jsonb, 'update', 'account.sms-stopped', stopped.account_id, null) as line
)
select jsonb_build_object('noted', (select count(*) from noted), 'stopped', (select count(*) from stopped))
