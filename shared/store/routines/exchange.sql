-- Calendars kept by Exchange: what only a holder of the mailbox's lease may write, and the times of others that are reserved.

-- The mailbox whose lease this is, locked against its loss; none when it is over, and then nothing is written.
create or replace function held_mailbox(of_mailbox uuid, by_lease uuid, at timestamptz) returns setof exchange_mailbox
language sql rows 1 as $$
    select * from exchange_mailbox where id = of_mailbox and lease = by_lease and lease_until > at for no key update
$$;

-- Whether a mailbox may move a visit of itself: one of the agenda that it is beside, where the establishment leaves that to it. A patient's
-- block goes before that, as before every relation of a professional.
create or replace function may_follow(who jsonb, of_patient uuid, of_practitioner uuid, of_establishment uuid) returns boolean
language sql stable as $$
    select exists (select from exchange_mailbox m
        where m.id = (who ->> 'mailbox')::uuid and m.state = 'active' and m.follow_moves
          and m.practitioner_id = of_practitioner and m.establishment_id = of_establishment)
        and not blocked(of_patient, of_practitioner, (who ->> 'at')::timestamptz)
$$;

-- Reserves what of a block is free: a visit that was agreed on before stands. Whoever calls has locked the practitioner.
create or replace function reserve_block(of_block exchange_block, of_practitioner uuid, at timestamptz) returns void
language plpgsql as $$
declare
    whole constant tstzrange := tstzrange(of_block.starts_at, of_block.ends_at);
    free tstzmultirange;
begin
    -- A hold past its time never blocks anybody, swept or not.
    update reservation set active = false
    where resource_id = of_practitioner and active and during && whole and expires_at <= at;
    delete from reservation where block_id = of_block.id;
    select tstzmultirange(whole) - coalesce(range_agg(during), '{}') into free
    from reservation where resource_id = of_practitioner and active and during && whole;
    insert into reservation (block_id, resource_id, during)
    select of_block.id, of_practitioner, piece from unnest(free) piece
    on conflict on constraint reservation_no_overlap do nothing;
    update exchange_block set clash = free is distinct from tstzmultirange(whole)
    where id = of_block.id and clash is distinct from (free is distinct from tstzmultirange(whole));
end $$;

-- Takes and frees times of a mailbox's practitioner: `changes` holds place [{id, series, starts_at, ends_at}] and retire [id]. A block that
-- a visit stood in the way of is tried again each time. False without the lease.
create or replace function place_blocks(of_mailbox uuid, by_lease uuid, at timestamptz, changes jsonb) returns boolean
language plpgsql as $$
declare
    mailbox exchange_mailbox;
    block exchange_block;
begin
    select * into mailbox from held_mailbox(of_mailbox, by_lease, at);
    if not found then
        return false;
    end if;
    if changes = '{"place": [], "retire": []}' and not exists (select from exchange_block where mailbox_id = of_mailbox and clash) then
        return true;
    end if;
    perform lock_resources(array[mailbox.practitioner_id]);
    delete from exchange_block
    where mailbox_id = of_mailbox and remote_id in (select jsonb_array_elements_text(changes -> 'retire'));
    insert into exchange_block (mailbox_id, remote_id, series_id, starts_at, ends_at, clash)
    select of_mailbox, wish.id, wish.series, wish.starts_at, wish.ends_at, true
    from jsonb_to_recordset(changes -> 'place') as wish (id text, series text, starts_at timestamptz, ends_at timestamptz)
    on conflict on constraint exchange_block_remote do update set
        series_id = excluded.series_id, starts_at = excluded.starts_at, ends_at = excluded.ends_at, clash = true;
    for block in
        select * from exchange_block where mailbox_id = of_mailbox and clash and ends_at > at order by starts_at, id
    loop
        perform reserve_block(block, mailbox.practitioner_id, at);
    end loop;
    return true;
end $$;

-- A server as administrators see it.
create or replace function exchange_server_document(s exchange_server) returns jsonb language sql stable as $$
    select jsonb_build_object('id', s.id, 'kind', s.kind, 'name', s.name, 'created_at', s.created_at,
        'mailboxes', (select count(*) from exchange_mailbox m where m.server_id = s.id and m.state <> 'left'))
$$;

-- Connects servers of an establishment, so many at most. Null: no such establishment for the actor.
create or replace function create_exchange_server(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    s exchange_server;
    place constant uuid := (who ->> 'establishment')::uuid;
begin
    -- One at a time: two would both count the same.
    perform from establishment where id = place for no key update;
    if not found or not may(who, 'exchange-server', 'create', null, null, place) then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    if (select count(*) from exchange_server where establishment_id = place) >= (wish ->> 'most')::integer then
        return jsonb_build_object('outcome', 'too_many');
    end if;
    insert into exchange_server (id, establishment_id, kind, name, wrapped_key, settings, created_by, created_at)
    values ((wish ->> 'id')::uuid, place, wish ->> 'kind', wish ->> 'name', wish ->> 'wrapped_key', wish ->> 'settings',
            (who ->> 'account')::uuid, (who ->> 'at')::timestamptz)
    returning * into s;
    insert into trace select line.* from entry(who, 'create', 'exchange-server.create', s.id, null) as line;
    return jsonb_build_object('outcome', 'created', 'server', exchange_server_document(s));
end $$;

-- A mailbox that the actor may do something with.
create or replace function mailbox_of(who jsonb, to_do text, wanted uuid) returns setof exchange_mailbox language sql stable rows 1 as $$
    select m.* from exchange_mailbox m
    where m.id = wanted and m.state <> 'left' and may(who, 'mailbox', to_do, null, m.practitioner_id, m.establishment_id)
$$;

-- A mailbox as the desk shows it; its address still sealed.
create or replace function mailbox_document(m exchange_mailbox, at timestamptz) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', m.id, 'server', m.server_id, 'kind', s.kind, 'wrapped_key', s.wrapped_key, 'address', m.address,
        'practitioner', m.practitioner_id, 'practitioner_name', name_of_practitioner(m.practitioner_id), 'state', m.state,
        'tentative_blocks', m.tentative_blocks, 'when_silent', m.when_silent, 'follow_moves', m.follow_moves,
        'read_last_at', m.read_last_at, 'due_at', least(m.read_at, m.write_at),
        'late_seconds', greatest(0, extract(epoch from at - least(m.read_at, m.write_at))::int8),
        'unasked', m.unasked, 'failing_since', m.failing_since, 'fault', m.fault, 'fault_code', m.fault_code, 'rests_until', m.rests_until,
        'told_of_changes', coalesce(m.watch_until > at, false), 'created_at', m.created_at,
        'visits', (select count(*) from exchange_link l where l.mailbox_id = m.id and l.remote_id is not null),
        'blocks', (select count(*) from exchange_block b where b.mailbox_id = m.id and b.ends_at > at),
        'clashes', (select count(*) from exchange_block b where b.mailbox_id = m.id and b.ends_at > at and b.clash),
        'questions', (select count(*) from exchange_link l where l.mailbox_id = m.id and (l.asked_since is not null or l.rests_until > at)))
    from exchange_server s where s.id = m.server_id
$$;

-- Puts a mailbox beside an agenda of the establishment.
create or replace function create_mailbox(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    m exchange_mailbox;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    place constant uuid := (who ->> 'establishment')::uuid;
begin
    if not may(who, 'mailbox', 'create', null, null, place)
        or not exists (select from exchange_server where id = (wish ->> 'server')::uuid and establishment_id = place)
        or not exists (select from practice p join site on site.id = p.site_id
                       where p.practitioner_id = (wish ->> 'practitioner')::uuid and site.establishment_id = place) then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    insert into exchange_mailbox (id, server_id, establishment_id, practitioner_id, address, address_lookup, state, read_at,
        tentative_blocks, when_silent, follow_moves, created_by, created_at)
    values ((wish ->> 'id')::uuid, (wish ->> 'server')::uuid, place, (wish ->> 'practitioner')::uuid, wish ->> 'address',
        wish ->> 'address_lookup', 'active', at, (wish ->> 'tentative_blocks')::boolean, wish ->> 'when_silent',
        (wish ->> 'follow_moves')::boolean, (who ->> 'account')::uuid, at)
    on conflict do nothing
    returning * into m;
    if not found then
        return jsonb_build_object('outcome', 'taken');
    end if;
    insert into trace select line.* from entry(who, 'create', 'mailbox.create', m.id, null) as line;
    insert into outbox (kind, subject, data, occurred_at)
    values ('mailbox.changed.v1', m.id, jsonb_build_object('mailbox', m.id), at);
    return jsonb_build_object('outcome', 'created', 'mailbox', mailbox_document(m, at));
end $$;

-- Turns a mailbox: `turn` is pause, resume, resync, leave or abandon, or null for a change of its rules alone; null where it is not there to be turned.
create or replace function turn_mailbox(who jsonb, wanted uuid, to_do text, turn text, rules jsonb) returns jsonb language plpgsql as $$
declare
    m exchange_mailbox;
    at constant timestamptz := (who ->> 'at')::timestamptz;
begin
    perform from mailbox_of(who, to_do, wanted);
    if not found then
        return null;
    end if;
    update exchange_mailbox set
        state = case turn when 'pause' then case state when 'active' then 'paused' else state end
                          when 'resume' then case state when 'paused' then 'active' else state end
                          when 'leave' then 'leaving' when 'abandon' then 'left' else state end,
        -- Everything is read again and compared; what is known stays known meanwhile.
        resync = resync or coalesce(turn = 'resync', false),
        read_at = case when turn in ('resume', 'resync', 'leave') then least(read_at, at) else read_at end,
        rests_until = case when turn in ('resume', 'resync', 'leave') then null else rests_until end,
        wishes = wishes + 1,
        tentative_blocks = coalesce((rules ->> 'tentative_blocks')::boolean, tentative_blocks),
        when_silent = coalesce(rules ->> 'when_silent', when_silent),
        follow_moves = coalesce((rules ->> 'follow_moves')::boolean, follow_moves)
    where id = wanted and state <> 'left' returning * into m;
    if not found then
        return null;
    end if;
    insert into trace select line.* from entry(who, to_do, 'mailbox.' || coalesce(turn, 'change'), m.id, null) as line;
    if turn = 'abandon' then
        delete from exchange_block where mailbox_id = m.id;
    end if;
    if turn in ('resume', 'resync', 'leave') then
        insert into outbox (kind, subject, data, occurred_at)
        values ('mailbox.changed.v1', m.id, jsonb_build_object('mailbox', m.id), at);
    end if;
    return mailbox_document(m, at);
end $$;
