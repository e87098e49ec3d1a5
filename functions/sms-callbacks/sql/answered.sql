-- What somebody answered to the last text message to their number, or to the one that the provider names. That message is found first,
-- and asked then whether it can be answered so: else an answer to it would be one to another visit. An answer is of whose the number
-- is now. STOP holds for every account of that number until it is answered otherwise. The same answer twice is one.
-- $1 who (the system)   $2 'stop', 'start', 'cancel' or 'confirm'   $3 keyed hash of the number   $4 provider
-- $5 what the provider calls the message, if it says   $6 what we call it, if it says   $7 sent after
-- $8 messages as near to each other as that, in seconds, are mixed up
with theirs as (
    select id from account where phone_lookup = $3::text and phone_verified_at is not null and state = 'active'
    union
    -- Where an earlier release let the number be shown, it is the one that was written to.
    select account.id from notice n join account on account.id = n.recipient_id
    where n.to_lookup = $3::text and n.recipient_kind = 'account' and account.phone_lookup is null
      and account.phone_verified_at is not null and account.state = 'active'
), answered as (
    select n.*, exists (select from notice fellow where fellow.told_in = n.id) as of_several,
        $5::text is null and $6::uuid is null and (
            -- Another visit was told of in the same moment; or one may have been, and nobody knows yet.
            exists (select from notice other
                where other.to_lookup = $3::text and other.channel = 'sms' and other.told_in is null and other.id <> n.id
                  and other.settled_at > n.settled_at - make_interval(secs => $8::int8::int)
                  and other.appointment_id <> n.appointment_id)
            or exists (select from notice other join theirs on theirs.id = other.recipient_id
                where other.recipient_kind = 'account' and other.channel = 'sms' and other.state = 'planned' and other.attempts > 0)
        ) as mixed_up
    from notice n
    where n.to_lookup = $3::text and n.channel = 'sms' and n.told_in is null and n.settled_at > $7::text::timestamptz
      and n.state in ('sent', 'delivered', 'read', 'failed')
      and (($5::text is null and $6::uuid is null) or n.id = $6::uuid or (n.provider = $4::text and n.reference = $5::text))
    order by n.settled_at desc, n.id limit 1
), mine as (
    -- As if they had signed in.
    select answered.id, a.status, answered.kind <> 'cancellation' and answered.state <> 'failed'
        and a.status = 'booked' and a.version = answered.version and a.starts_at > ($1::jsonb ->> 'at')::timestamptz
        and not answered.of_several and not answered.mixed_up
        and ($2::text <> 'cancel' or (not hidden(who, a)
            and may(who, 'appointment', 'delete', a.patient_id, a.practitioner_id, site.establishment_id))) as possible
    from answered join theirs on theirs.id = answered.recipient_id
    join appointment a on a.id = answered.appointment_id join site on site.id = a.site_id,
        jsonb_build_object('at', $1::jsonb -> 'at', 'account', answered.recipient_id, 'role', 'patient', 'level', 1) as who
), unclear as (
    -- They mean to call off something that this does not call off, and that is not called off yet.
    select answered.id, account.language from answered
    join theirs on theirs.id = answered.recipient_id join account on account.id = theirs.id
    left join mine on mine.id = answered.id
    left join notice_preference p on p.account_id = account.id
    where $2::text = 'cancel' and answered.kind <> 'cancellation' and p.sms_stopped_at is null
      and mine.possible is not true and mine.status is distinct from 'cancelled'
      and (answered.reply is null or answered.reply not in ('cancel', 'unclear'))
), noted as (
    update notice set reply = case when unclear.id is null then $2::text else 'unclear' end
    from answered left join mine on mine.id = answered.id left join unclear on unclear.id = answered.id
    where notice.id = answered.id and notice.reply is distinct from case when unclear.id is null then $2::text else 'unclear' end
      and ((mine.possible and $2::text <> 'start') or unclear.id is not null or $2::text = 'stop')
    returning notice.id, notice.appointment_id, notice.version, notice.recipient_id, notice.reply
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'appointment.cancellation-asked.v1', appointment_id,
           jsonb_build_object('appointment', appointment_id, 'version', version, 'account', recipient_id, 'notice', id),
           ($1::jsonb ->> 'at')::timestamptz
    from noted where reply = 'cancel'
), stop as (
    -- When it was said first: by that, what the number stopped is known from what somebody chose.
    insert into sms_stop (phone_lookup, stopped_at)
    select $3::text, ($1::jsonb ->> 'at')::timestamptz where $2::text = 'stop' and exists (select from theirs)
    on conflict on constraint sms_stop_pkey do update set stopped_at = sms_stop.stopped_at
    returning stopped_at
), known as (
    update account set phone_lookup = $3::text from theirs, stop where account.id = theirs.id and account.phone_lookup is null
), stopped as (
    insert into notice_preference as p (account_id, wishes, sms_stopped_at, updated_at)
    select theirs.id, '{}', stop.stopped_at, ($1::jsonb ->> 'at')::timestamptz from theirs, stop
    on conflict on constraint notice_preference_pkey do update
        set sms_stopped_at = excluded.sms_stopped_at, updated_at = excluded.updated_at
        where p.sms_stopped_at is null
    returning p.account_id
), started as (
    update notice_preference p set sms_stopped_at = null, updated_at = ($1::jsonb ->> 'at')::timestamptz
    from theirs where $2::text = 'start' and p.account_id = theirs.id and p.sms_stopped_at is not null
    returning p.account_id
), forgotten as (
    delete from sms_stop where $2::text = 'start' and phone_lookup = $3::text
), recorded as (
    insert into trace
    select line.* from stopped, entry($1::jsonb, 'update', 'account.sms-stopped', stopped.account_id, null) as line
    union all
    select line.* from started, entry($1::jsonb, 'update', 'account.sms-started', started.account_id, null) as line
)
-- Whom to tell that nothing came of it, in which language: once a message.
select jsonb_build_object('noted', (select count(*) from noted), 'stopped', (select count(*) from stopped),
    'started', (select count(*) from started),
    'unclear', (select unclear.language from unclear join noted on noted.id = unclear.id))
