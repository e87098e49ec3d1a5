-- Whom a notice reaches, and by what.

-- Whether a channel leads to an account.
create or replace function reaches(a account, channel text, sms_stopped boolean) returns boolean language plpgsql stable as $$
begin
    return case channel
        -- Not to an address that another account has shown to be its own: it is not whose it says it is.
        when 'email' then a.contact is not null and not of_another(a)
        when 'sms' then a.phone_verified_at is not null and a.contact is not null and not sms_stopped
        when 'push' then exists (select from push_subscription where account_id = a.id)
        else false end;
end $$;

-- Whether something of a kind comes by every channel that reaches somebody, those of their choice first: that a visit was made,
-- changed or called off. A reminder or a document comes by those of their choice alone.
create or replace function told_by_any(kind text) returns boolean language sql immutable parallel safe as $$
    select kind in ('confirmation', 'change', 'cancellation')
$$;

-- By which channels who has these wishes is told something of a kind, in the order in which they are tried; never by letter.
create or replace function channels_tried(wishes jsonb, kind text) returns text[] language plpgsql immutable as $$
declare
    usual constant text[] := '{push,email,sms}';
    tried text[] := usual;
begin
    if wishes ? 'channels' then
        tried := array(select jsonb_array_elements_text(wishes -> 'channels'));
    end if;
    if told_by_any(kind) then
        tried := tried || array(select rest from unnest(usual) rest where rest <> all (tried));
    end if;
    return tried;
end $$;

-- Those of them that lead to an account.
create or replace function channels_of(a account, kind text) returns text[] language plpgsql stable as $$
declare
    wish notice_preference;
begin
    select * into wish from notice_preference where account_id = a.id;
    return array(select one.channel from unnest(channels_tried(wish.wishes, kind)) with ordinality as one (channel, place)
                 where reaches(a, one.channel, wish.sms_stopped_at is not null) order by one.place);
end $$;

-- Whether two notices tell the same person the same, by different channels. In SQL without a query, so that it becomes a part of
-- the query that asks.
create or replace function tells_the_same(n notice, other notice) returns boolean language sql immutable parallel safe as $$
    select n.recipient_id = other.recipient_id and n.recipient_kind = other.recipient_kind and n.kind = other.kind and n.id <> other.id
       and (n.event_id = other.event_id or (n.event_id is null and n.appointment_id = other.appointment_id
                                            and n.version = other.version and n.step_minutes = other.step_minutes))
$$;

-- Whether another channel has taken a notice's place. Where none was left, it has not.
create or replace function handed_on(n notice) returns boolean language plpgsql stable as $$
begin
    return exists (select from notice other
                   where tells_the_same(n, other) and other.because like n.channel || ' %'
                     and not (other.state = 'skipped' and other.why in ('no channel', 'kept secret')));
end $$;

-- The channel after one that failed, or was not looked at: the next in the order of their choice that leads to them and has not told
-- them the same; a letter after the last. The place is looked for among all of them: one that failed may lead nowhere by now.
create or replace function channel_after(n notice, a account) returns text language plpgsql stable as $$
declare
    wish notice_preference;
    tried text[];
begin
    select * into wish from notice_preference where account_id = a.id;
    tried := channels_tried(wish.wishes, n.kind);
    return coalesce((
        select one.channel from unnest(tried) with ordinality as one (channel, place)
        where one.channel <> n.channel and reaches(a, one.channel, wish.sms_stopped_at is not null)
          and not exists (select from notice other where tells_the_same(n, other) and other.channel = one.channel)
        -- One before it that leads to them since then is better than paper.
        order by one.place < coalesce(array_position(tried, n.channel), 0), one.place limit 1), 'letter');
end $$;

-- Plans what a notice told for the next channel of its recipient, if there is one and time for it: a letter takes its time, and nobody
-- prints one to say that a document is there, nor sends home what a minor keeps secret. Whether a notice came of it.
create or replace function pass_on(n notice, why_so text, at timestamptz, letter_minutes bigint, to_letters boolean)
returns boolean language plpgsql as $$
declare
    a account;
    next_channel text;
    why_not text;
    passed uuid;
begin
    select * into a from account where id = n.recipient_id and state = 'active';
    if not found or n.recipient_kind <> 'account' or n.starts_at <= at or handed_on(n) then
        return false;
    end if;
    next_channel := channel_after(n, a);
    if next_channel = 'letter' then
        if not to_letters then
            return false;
        end if;
        why_not := case
            when exists (select from appointment where id = n.appointment_id and secret_since is not null) then 'kept secret'
            when coalesce(n.starts_at < at + make_interval(mins => letter_minutes::integer), true) then 'no channel' end;
    end if;
    insert into notice (event_id, appointment_id, document_id, kind, because, recipient_kind, recipient_id, channel, version,
                        step_minutes, starts_at, ends_at, day, establishment_id, state, why, planned_at, send_at, settled_at)
    values (n.event_id, n.appointment_id, n.document_id, n.kind, why_so, n.recipient_kind, n.recipient_id, next_channel, n.version,
            n.step_minutes, n.starts_at, n.ends_at, n.day, n.establishment_id, case when why_not is null then 'planned' else 'skipped' end,
            why_not, at, at, case when why_not is not null then at end)
    on conflict do nothing
    returning id into passed;
    if passed is null then
        return false;
    end if;
    insert into notice_history (notice_id, at, state, why)
    values (passed, at, case when why_not is null then 'planned' else 'skipped' end, coalesce(why_not, why_so));
    return true;
end $$;

-- Whether an account is told of a visit: whoever acts for the patient and is to be told; of what a minor keeps secret, nobody but
-- the minor.
create or replace function is_told(g guardianship, secret boolean, at timestamptz) returns boolean language sql immutable parallel safe as $$
    select in_force(g, at) and (g.relation = 'self' or 'notices' = any (g.rights)) and (not secret or surely_oneself(g, at))
$$;

-- Whether an account may hear of what a notice of theirs tells of, as it stands now.
create or replace function may_hear(n notice, at timestamptz) returns boolean language plpgsql stable as $$
begin
    if n.document_id is not null then
        return exists (
            select from document d join guardianship g on g.patient_id = d.patient_id join account on account.id = g.account_id
            where d.id = n.document_id and d.withdrawn_at is null and d.purged_at is null
              and g.account_id = n.recipient_id and account.state = 'active' and document_concerns(d, g, at));
    end if;
    return exists (
        select from appointment a join guardianship g on g.patient_id = a.patient_id join account on account.id = g.account_id
        where a.id = n.appointment_id and g.account_id = n.recipient_id and account.state = 'active'
          and is_told(g, a.secret_since is not null, at));
end $$;

-- Why a letter is not to be printed, if it is not: much may have happened since it was planned, as with what is sent
-- (`domain::notice::untrue`).
create or replace function letter_untrue(n notice, at timestamptz) returns text language plpgsql stable as $$
declare
    a appointment;
begin
    select * into a from appointment where id = n.appointment_id;
    return case
        when n.starts_at <= at then 'begun'
        when n.kind = 'cancellation' and a.status <> 'cancelled' then 'not cancelled'
        when n.kind <> 'cancellation' and a.status <> 'booked' then 'not booked'
        when n.kind <> 'cancellation' and a.version <> n.version then 'moved'
        when a.secret_since is not null then 'kept secret'
        when not may_hear(n, at) then 'not theirs to hear' end;
end $$;

-- The actor has looked at a visit, at a document, or at what a notice tells of: what told them of it is read, and what was planned to
-- tell them the same by another channel is not sent. A message to a browser or a telephone of several visits leads to the first of
-- them only: who looked there has seen the rest in the message. How many are read.
create or replace function notices_looked_at(who jsonb, of_appointment uuid, of_document uuid, of_notice uuid) returns integer
language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    looked uuid[];
begin
    -- A visit of an agenda is not looked at as one's own.
    if of_notice is null and who ->> 'role' <> 'patient' then
        return 0;
    end if;
    looked := array(
        select n.id from notice n
        where n.recipient_id = actor and n.recipient_kind = 'account' and n.state in ('sent', 'delivered')
          and (n.id = of_notice or n.appointment_id = of_appointment or n.document_id = of_document)
        order by n.id for update);
    if looked = '{}' then
        return 0;
    end if;
    looked := looked || array(
        select n.id from notice n
        where n.told_in = any (looked) and n.id <> all (looked) and n.channel in ('push', 'sms') and n.state in ('sent', 'delivered')
        order by n.id for update);
    update notice set state = 'read' where id = any (looked);
    with idle as (
        update notice planned set state = 'skipped', why = 'looked at', settled_at = at
        -- One that is on its way is not called back.
        where planned.recipient_id = actor and planned.recipient_kind = 'account' and planned.state = 'planned'
          and (planned.lease_until is null or planned.lease_until <= at)
          and exists (select from notice n where n.id = any (looked) and tells_the_same(n, planned))
        returning id
    )
    insert into notice_history (notice_id, at, state, why)
    select id, at, 'skipped', 'looked at' from idle
    union all
    select id, at, 'read', null from unnest(looked) id;
    return cardinality(looked);
end $$;

-- Which of some notices their recipients may still be sent today; each counts. `wanted` holds [{id, recipient, day, owed, most}];
-- an earlier release does not say how many. Rows are taken in one order, so that two senders wait for each other and no more.
create or replace function allow_notices(wanted jsonb, most integer, most_owed integer) returns uuid[] language plpgsql as $$
declare
    one record;
    allowed uuid[] := '{}';
begin
    for one in
        select * from jsonb_to_recordset(wanted) as w (id uuid, recipient uuid, day date, owed boolean, most integer)
        order by w.recipient, w.day, w.owed, w.id
    loop
        insert into notice_allowance as a (recipient_id, day, owed, sent) values (one.recipient, one.day, one.owed, 1)
        on conflict on constraint notice_allowance_pkey do update set sent = a.sent + 1
            where a.sent < coalesce(one.most, case when one.owed then most_owed else most end);
        if found then
            allowed := allowed || one.id;
            -- Counted it stays, also when its sender is gone before it could say so: taken up again, it is the same one.
            update notice set counted = true where id = one.id;
        end if;
    end loop;
    return allowed;
end $$;

-- A notice as people see it: nothing of who is told, nor where.
create or replace function notice_document(n notice) returns jsonb language sql stable as $$
    select jsonb_build_object('id', n.id, 'kind', n.kind, 'channel', n.channel, 'state', n.state, 'why', n.why, 'because', n.because,
        'step_minutes', n.step_minutes, 'appointment', n.appointment_id, 'document', n.document_id, 'recipient', n.recipient_kind,
        'told_in', n.told_in, 'planned_at', n.planned_at, 'send_at', n.send_at, 'segments', n.segments,
        'cost_microeur', n.cost_microeur, 'reply', n.reply,
        'history', (select coalesce(jsonb_agg(jsonb_build_object('at', h.at, 'state', h.state, 'why', h.why) order by h.seq), '[]')
                    from notice_history h where h.notice_id = n.id))
$$;
