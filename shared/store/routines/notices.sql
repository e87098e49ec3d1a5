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

-- By which channels an account can be reached, in the order in which it wants to be; never by letter.
create or replace function channels_of(a account) returns text[] language plpgsql stable as $$
declare
    wish notice_preference;
begin
    select * into wish from notice_preference where account_id = a.id;
    return (select coalesce(array_agg(channel order by place), '{}')
        from jsonb_array_elements_text(coalesce(wish.wishes -> 'channels', '["push", "email", "sms"]'))
            with ordinality as wanted (channel, place)
        where reaches(a, channel, wish.sms_stopped_at is not null));
end $$;

-- The channel after one that failed, or was not looked at; a letter after the last.
create or replace function channel_after(a account, failed text) returns text language plpgsql stable as $$
declare
    channels constant text[] := channels_of(a);
begin
    return coalesce(channels[coalesce(array_position(channels, failed), 0) + 1], 'letter');
end $$;

-- Plans what a notice told for the next channel of its recipient, if there is one and time for it: a letter takes its time, and nobody
-- prints one to say that a document is there. Whether a notice came of it.
create or replace function pass_on(n notice, why_so text, at timestamptz, letter_minutes bigint, to_letters boolean)
returns boolean language plpgsql as $$
declare
    a account;
    next_channel text;
    too_late boolean;
    passed uuid;
begin
    select * into a from account where id = n.recipient_id and state = 'active';
    if not found or n.recipient_kind <> 'account' or n.starts_at <= at then
        return false;
    end if;
    next_channel := channel_after(a, n.channel);
    if next_channel = 'letter' and not to_letters then
        return false;
    end if;
    too_late := next_channel = 'letter'
        and coalesce(n.starts_at < at + make_interval(mins => letter_minutes::integer), true);
    insert into notice (event_id, appointment_id, document_id, kind, because, recipient_kind, recipient_id, channel, version,
                        step_minutes, starts_at, ends_at, day, establishment_id, state, why, planned_at, send_at, settled_at)
    values (n.event_id, n.appointment_id, n.document_id, n.kind, why_so, n.recipient_kind, n.recipient_id, next_channel, n.version,
            n.step_minutes, n.starts_at, n.ends_at, n.day, n.establishment_id, case when too_late then 'skipped' else 'planned' end,
            case when too_late then 'no channel' end, at, at, case when too_late then at end)
    on conflict do nothing
    returning id into passed;
    if passed is null then
        return false;
    end if;
    insert into notice_history (notice_id, at, state, why)
    values (passed, at, case when too_late then 'skipped' else 'planned' end, case when too_late then 'no channel' else why_so end);
    return true;
end $$;

-- Whether an account is told of a visit: whoever acts for the patient and is to be told; of what a minor keeps secret, nobody but
-- the minor.
create or replace function is_told(g guardianship, secret boolean, at timestamptz) returns boolean language sql immutable parallel safe as $$
    select in_force(g, at) and (g.relation = 'self' or 'notices' = any (g.rights)) and (not secret or surely_oneself(g, at))
$$;

-- Which of some notices their recipients may still be sent today; each counts. `wanted` holds [{id, recipient, day, owed}]. Rows are
-- taken in one order, so that two senders wait for each other and no more.
create or replace function allow_notices(wanted jsonb, most integer, most_owed integer) returns uuid[] language plpgsql as $$
declare
    one record;
    allowed uuid[] := '{}';
begin
    for one in
        select * from jsonb_to_recordset(wanted) as w (id uuid, recipient uuid, day date, owed boolean)
        order by w.recipient, w.day, w.owed, w.id
    loop
        insert into notice_allowance as a (recipient_id, day, owed, sent) values (one.recipient, one.day, one.owed, 1)
        on conflict on constraint notice_allowance_pkey do update set sent = a.sent + 1
            where a.sent < case when one.owed then most_owed else most end;
        if found then
            allowed := allowed || one.id;
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
