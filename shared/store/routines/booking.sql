-- The only places that put a row into `reservation`. Each is one statement for its caller.
--
-- Why functions: an exclusion constraint places its index entry before it looks for conflicts, so two plain writers
-- wait for each other and deadlock. Here every writer first takes the locks of all resources it will touch, in one
-- order; then retires what it replaces; then places with `on conflict do nothing`, which never leaves a half-placed
-- entry behind. The order is: idempotency key, resource locks, appointment rows that give way, reservations; a move
-- begins with its own appointment row. Cancelling and expiring only retire rows of an appointment that they have
-- locked, place nothing, and so need no resource locks: nobody can wait for them while they wait for somebody.
--
-- Of a rush on one time, all but the first few find it visibly taken (`busy_resource`) and are refused before they lock
-- or write anything; the constraint judges the rest.

-- Locks until the end of the transaction; sorted, so that no two writers hold what the other waits for.
create or replace function lock_resources(resources uuid[]) returns void language plpgsql as $$
declare
    lock_key bigint;
    former bigint;
    latter bigint;
begin
    if array_length(resources, 1) = 2 then
        -- Nearly every booking: a practitioner and a patient.
        former := uuid_hash_extended(resources[1], 0);
        latter := uuid_hash_extended(resources[2], 0);
        perform pg_advisory_xact_lock(least(former, latter));
        perform pg_advisory_xact_lock(greatest(former, latter));
        return;
    end if;
    for lock_key in select distinct uuid_hash_extended(wanted, 0) from unnest(resources) wanted order by 1 loop
        perform pg_advisory_xact_lock(lock_key);
    end loop;
end $$;

-- Places every reservation or raises 23P01 under the constraint's own name. The loser is in DETAIL, which is not logged.
-- The caller has locked the resources, together with all others that it touches.
create or replace function reserve(
    for_appointment uuid, resources uuid[], durings tstzrange[], at timestamptz, until timestamptz
) returns void language plpgsql as $$
declare
    wanted uuid;
    span tstzrange;
    place integer;
begin
    for place in 1 .. array_length(resources, 1) loop
        wanted := resources[place];
        span := durings[place];
        insert into reservation (appointment_id, resource_id, during, expires_at)
        values (for_appointment, wanted, span, until)
        on conflict on constraint reservation_no_overlap do nothing;
        if not found then
            -- A hold past its time never blocks anybody, swept or not. Looked for only when something is in the way.
            update reservation set active = false
            where resource_id = wanted and active and during && span and expires_at <= at;
            insert into reservation (appointment_id, resource_id, during, expires_at)
            values (for_appointment, wanted, span, until)
            on conflict on constraint reservation_no_overlap do nothing;
            if not found then
                raise exception 'resource is taken'
                    using errcode = '23P01', constraint = 'reservation_no_overlap', detail = wanted;
            end if;
        end if;
    end loop;
end $$;

-- Which of the resources is visibly taken, the first of the list; null when none is. What gives way is not in the way:
-- holds past their time, the actor's own holds for this patient, and the appointment that is to be moved.
create or replace function busy_resource(
    resources uuid[], durings tstzrange[], at timestamptz, actor uuid, patient uuid, moving uuid
) returns uuid language plpgsql stable as $$
begin
    return (select wanted.resource_id
    from unnest(resources, durings) with ordinality as wanted (resource_id, span, place)
    join reservation taken on taken.resource_id = wanted.resource_id and taken.during && wanted.span and taken.active
    where (taken.expires_at is null or taken.expires_at > at)
      and taken.appointment_id is distinct from moving
      and not exists (
        select from appointment held
        where taken.expires_at is not null and held.id = taken.appointment_id
          and held.booked_by = actor and held.patient_id = patient)
    order by wanted.place limit 1);
end $$;

-- An appointment as every function returns it. Instants are UTC; the site's zone travels beside them.
-- In plpgsql since PostgreSQL plans the body of a function in SQL again at every call.
create or replace function appointment_document(a appointment) returns jsonb language plpgsql stable as $$
begin
    return (select jsonb_build_object(
        'id', a.id, 'status', a.status, 'version', a.version, 'channel', a.channel,
        'starts_at', a.starts_at, 'ends_at', a.ends_at, 'time_zone', site.time_zone,
        'practitioner', a.practitioner_id,
        'practitioner_name', concat_ws(' ', nullif(practitioner.title, ''), practitioner.given_name, practitioner.family_name),
        'site', a.site_id, 'site_name', site.name,
        'site_address', concat_ws(', ', nullif(site.address_line, ''), concat_ws(' ', site.postal_code, site.city)),
        'reason', a.reason_id, 'reason_label_fr', reason.label_fr, 'reason_label_en', reason.label_en,
        'late_notice_minutes', reason.late_notice_minutes,
        'patient', a.patient_id, 'late', case a.status when 'cancelled' then a.cancelled_late else a.moved_late end, 'hold_expires_at', a.hold_expires_at,
        'secret', a.secret_since is not null)
    from site, practitioner, reason
    where site.id = a.site_id and practitioner.id = a.practitioner_id and reason.id = a.reason_id);
end $$;

-- The actor's own holds for the patient that overlap a time: they give way to the booking they were held for. One made
-- after this look is not among them, and is then simply in the way.
create or replace function holds_giving_way(actor uuid, patient uuid, from_at timestamptz, until_at timestamptz)
returns uuid[] language plpgsql as $$
begin
    return (select array_agg(held.id order by held.id) from appointment held
    where held.status = 'held' and held.booked_by = actor and held.patient_id = patient
      and held.starts_at < until_at and held.ends_at > from_at);
end $$;

-- What some appointments hold now; empty for none.
create or replace function resources_of(appointments uuid[]) returns uuid[] language plpgsql as $$
begin
    if appointments is null then
        return '{}';
    end if;
    return coalesce((select array_agg(resource_id) from reservation
                     where appointment_id = any (appointments) and active), '{}');
end $$;

-- Lets holds go. The caller has locked their resources.
create or replace function release_holds(who jsonb, holds uuid[]) returns void language plpgsql as $$
begin
    if holds is null then
        return;
    end if;
    perform from appointment where id = any (holds) order by id for update;
    with released as (
        update appointment set status = 'expired', version = version + 1
        where id = any (holds) and status = 'held'
        returning id, patient_id
    )
    insert into trace
    select line.* from released,
        entry(who, 'update', 'appointment.hold.release', released.id, released.patient_id) as line;
    update reservation set active = false where appointment_id = any (holds) and active;
end $$;

-- Whether the actor may, now and not only when the write was decided.
create or replace function require_right(
    who jsonb, to_do text, of_patient uuid, of_practitioner uuid, of_site uuid
) returns void language plpgsql as $$
begin
    if not may(who, 'appointment', to_do, of_patient, of_practitioner, (select establishment_id from site where id = of_site)) then
        raise exception 'the policy does not allow it' using errcode = '42501', constraint = 'right_needed';
    end if;
end $$;

-- Whether the actor may keep the patient's visits from those who act for them, now as when it was decided.
create or replace function require_secrecy(who jsonb, of_patient uuid, of_practitioner uuid, of_site uuid)
returns void language plpgsql as $$
begin
    if not may(who, 'secrecy', 'update', of_patient, of_practitioner, (select establishment_id from site where id = of_site)) then
        raise exception 'the policy does not allow it' using errcode = '42501', constraint = 'right_needed';
    end if;
end $$;

-- Whom a patient has shut out cannot be visited: they would not see the visit. Asked under the locks of both, which whoever
-- shuts out takes too.
create or replace function require_welcome(of_patient uuid, professional uuid, at timestamptz) returns void language plpgsql as $$
begin
    -- Also by a block that began since this request did, or that bites later.
    if exists (select from block where patient_id = of_patient and practitioner_id = professional
               and (until is null or until > at)) then
        raise exception 'the patient has shut them out' using errcode = '42501', constraint = 'welcome_needed';
    end if;
end $$;

-- Whether the account may hold one more slot beside those that do not give way. The caller has locked the account's holds.
create or replace function require_room_for_hold(actor uuid, giving_way uuid[], most integer, at timestamptz)
returns void language plpgsql as $$
begin
    if most <= (select count(*) from appointment held
                where held.booked_by = actor and held.status = 'held' and held.hold_expires_at > at
                  and held.id <> all (coalesce(giving_way, '{}'))) then
        raise exception 'the account holds enough' using errcode = '23514', constraint = 'holds_of_account';
    end if;
end $$;

-- What a key that was used before gives to a request with this hash, and the trace of its reading. What the actor may no
-- longer read it does not give: the name of the right is raised.
create or replace function key_outcome(who jsonb, earlier idempotency, hash text) returns jsonb language plpgsql as $$
declare
    a appointment;
begin
    if earlier.request_hash <> hash then
        return jsonb_build_object('outcome', 'key_reused');
    end if;
    select * into a from appointment where id = (earlier.answer ->> 'id')::uuid;
    if found then
        perform require_right(who, 'read', a.patient_id, a.practitioner_id, a.site_id);
        if hidden(who, a) then
            raise exception 'no right to this any more' using errcode = '42501', constraint = 'right_needed';
        end if;
        insert into trace select * from entry(who, 'read', 'appointment.read', a.id, a.patient_id);
    end if;
    return jsonb_build_object('outcome', 'replayed', 'appointment', earlier.answer);
end $$;

-- Books or holds. `wish` holds: id, practitioner, patient, site, reason, channel, starts_at, ends_at, reserved_from,
-- reserved_until (with buffers), agenda_version, note, secret, status, hold_expires_at, most_holds, operation, key, request_hash.
-- Returns {"outcome": "created" | "replayed" | "key_reused", "appointment": …}.
create or replace function book(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    earlier idempotency;
    a appointment;
    answer jsonb;
    own_holds uuid[];
    loser uuid;
    resources uuid[];
    durings tstzrange[];
begin
    a.id := (wish ->> 'id')::uuid;
    a.practitioner_id := (wish ->> 'practitioner')::uuid;
    a.patient_id := (wish ->> 'patient')::uuid;
    a.site_id := (wish ->> 'site')::uuid;
    a.reason_id := (wish ->> 'reason')::uuid;
    a.channel := wish ->> 'channel';
    a.starts_at := (wish ->> 'starts_at')::timestamptz;
    a.ends_at := (wish ->> 'ends_at')::timestamptz;
    a.status := wish ->> 'status';
    a.version := 1;
    a.booked_by := actor;
    a.created_at := at;
    a.agreed_at := at;
    a.hold_expires_at := (wish ->> 'hold_expires_at')::timestamptz;
    a.note := wish ->> 'note';
    -- What the patient's side books makes a care relation; what staff book follows from one or makes none.
    a.care := case when who ->> 'role' = 'patient' then true else cared_for(a.patient_id, array[a.practitioner_id],
        (select establishment_id from site where id = a.site_id), at) end;
    -- A secret hold makes a secret visit.
    if (wish ->> 'secret')::boolean or exists (
        select from appointment held
        where held.status = 'held' and held.booked_by = actor and held.patient_id = a.patient_id
          and held.starts_at < a.ends_at and held.ends_at > a.starts_at and held.secret_since is not null) then
        a.secret_since := at;
        a.secret_by := actor;
    end if;

    resources := array[a.practitioner_id, a.patient_id];
    durings := array[tstzrange((wish ->> 'reserved_from')::timestamptz, (wish ->> 'reserved_until')::timestamptz),
                     tstzrange(a.starts_at, a.ends_at)];

    loser := busy_resource(resources, durings, at, actor, a.patient_id, null);
    if loser is not null then
        -- By this very request, sent before? A function sees what was committed since it began.
        select * into earlier from idempotency
        where account_id = actor and operation = wish ->> 'operation' and key = wish ->> 'key';
        if found then
            return key_outcome(who, earlier, wish ->> 'request_hash');
        end if;
        raise exception 'resource is taken'
            using errcode = '23P01', constraint = 'reservation_no_overlap', detail = loser;
    end if;
    answer := appointment_document(a);

    insert into idempotency (account_id, operation, key, request_hash, answer, created_at)
    values (actor, wish ->> 'operation', wish ->> 'key', wish ->> 'request_hash', answer, at)
    on conflict on constraint idempotency_pkey do nothing;
    if not found then
        -- A function sees what was committed while it waited; a plain statement would not.
        select * into earlier from idempotency
        where account_id = actor and operation = wish ->> 'operation' and key = wish ->> 'key';
        return key_outcome(who, earlier, wish ->> 'request_hash');
    end if;

    -- What this was decided on must still hold. (Raised, so that the key is not spent on it.)
    perform require_right(who, 'create', a.patient_id, a.practitioner_id, a.site_id);
    if (wish ->> 'secret')::boolean then
        perform require_secrecy(who, a.patient_id, a.practitioner_id, a.site_id);
    end if;
    perform from practitioner
    where id = a.practitioner_id and active and agenda_version = (wish ->> 'agenda_version')::bigint;
    if not found then
        raise exception 'the offer has changed' using errcode = '23P01', constraint = 'offer_unchanged';
    end if;

    if a.status = 'held' then
        -- Before the locks of resources, as everywhere: one hold of an account at a time.
        perform pg_advisory_xact_lock(uuid_hash_extended(actor, 2));
    end if;
    own_holds := holds_giving_way(actor, a.patient_id, a.starts_at, a.ends_at);
    if a.status = 'held' then
        perform require_room_for_hold(actor, own_holds, (wish ->> 'most_holds')::integer, at);
    end if;
    perform lock_resources(resources || resources_of(own_holds));
    perform require_welcome(a.patient_id, a.practitioner_id, at);
    perform release_holds(who, own_holds);
    if a.secret_since is not null then
        -- Who is not to see the visit is not to see from what it was made.
        update appointment set secret_since = a.secret_since, secret_by = a.secret_by
        where id = any (own_holds) and secret_since is null;
    end if;

    insert into appointment values (a.*);
    perform reserve(a.id, resources, durings, at, a.hold_expires_at);

    if a.status = 'booked' then
        insert into outbox (kind, subject, data, occurred_at)
        values ('appointment.booked.v1', a.id, jsonb_build_object('appointment', a.id, 'version', a.version,
            'establishment', (select establishment_id from site where id = a.site_id)), at);
    end if;
    insert into trace
    select * from entry(who, 'create', case a.status when 'held' then 'appointment.hold' else 'appointment.book' end,
                        a.id, a.patient_id,
                        case when a.secret_since is not null then change(a.patient_id, 'secret', 'false', 'true') end);
    return jsonb_build_object('outcome', 'created', 'appointment', answer);
end $$;

-- Moves a booked appointment, keeping the old time unless the new one is placed: the whole statement fails or none of it.
-- `wish` holds: appointment, version, practitioner, site, reason, channel, starts_at, ends_at, reserved_from,
-- reserved_until, agenda_version, late. Null when the appointment is no longer at that version.
create or replace function move_appointment(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    a appointment;
    former appointment;
    own_holds uuid[];
    loser uuid;
    resources uuid[];
    durings tstzrange[];
begin
    select * into a from appointment
    where id = (wish ->> 'appointment')::uuid and status = 'booked' and version = (wish ->> 'version')::integer;
    if not found then
        return null;
    end if;
    resources := array[(wish ->> 'practitioner')::uuid, a.patient_id];
    durings := array[tstzrange((wish ->> 'reserved_from')::timestamptz, (wish ->> 'reserved_until')::timestamptz),
                     tstzrange((wish ->> 'starts_at')::timestamptz, (wish ->> 'ends_at')::timestamptz)];
    loser := busy_resource(resources, durings, at, actor, a.patient_id, a.id);
    if loser is not null then
        raise exception 'resource is taken'
            using errcode = '23P01', constraint = 'reservation_no_overlap', detail = loser;
    end if;
    -- Made secret meanwhile, it is not theirs to move: that is no new version.
    perform from appointment where id = a.id and status = 'booked' and version = a.version and not hidden(who, appointment) for update;
    if not found then
        return null;
    end if;
    -- What is left and what is gone to: staff move within the agendas they work for.
    perform require_right(who, 'update', a.patient_id, a.practitioner_id, a.site_id);
    perform require_right(who, 'update', a.patient_id, (wish ->> 'practitioner')::uuid, (wish ->> 'site')::uuid);
    perform from practitioner
    where id = (wish ->> 'practitioner')::uuid and active and agenda_version = (wish ->> 'agenda_version')::bigint;
    if not found then
        raise exception 'the offer has changed' using errcode = '23P01', constraint = 'offer_unchanged';
    end if;

    if a.starts_at = (wish ->> 'starts_at')::timestamptz and a.practitioner_id = (wish ->> 'practitioner')::uuid
        and a.site_id = (wish ->> 'site')::uuid and a.reason_id = (wish ->> 'reason')::uuid then
        insert into trace select * from entry(who, 'read', 'appointment.read', a.id, a.patient_id);
        return appointment_document(a);
    end if;

    -- Locks of old and new together and first: retiring and then waiting for a lock is how two swaps would deadlock.
    own_holds := holds_giving_way(actor, a.patient_id, (wish ->> 'starts_at')::timestamptz, (wish ->> 'ends_at')::timestamptz);
    perform lock_resources(resources || resources_of(own_holds || a.id));
    perform require_welcome(a.patient_id, (wish ->> 'practitioner')::uuid, at);
    perform release_holds(who, own_holds);
    update reservation set active = false where appointment_id = a.id and active;

    former := a;
    update appointment set
        practitioner_id = (wish ->> 'practitioner')::uuid, site_id = (wish ->> 'site')::uuid,
        reason_id = (wish ->> 'reason')::uuid, channel = wish ->> 'channel',
        starts_at = (wish ->> 'starts_at')::timestamptz, ends_at = (wish ->> 'ends_at')::timestamptz,
        agreed_at = at, moved_late = (wish ->> 'late')::boolean, version = version + 1,
        -- Who moves a visit agrees to it.
        care = care or who ->> 'role' = 'patient'
    where id = a.id returning * into a;
    perform reserve(a.id, resources, durings, at, null);

    insert into outbox (kind, subject, data, occurred_at)
    select 'appointment.moved.v1', a.id, jsonb_build_object('appointment', a.id, 'version', a.version, 'establishment', here.establishment_id)
        -- Who is told that it left their agenda, and from when.
        || case when former.practitioner_id = a.practitioner_id then '{}' else jsonb_build_object('former', jsonb_build_object(
            'practitioner', former.practitioner_id, 'starts_at', former.starts_at, 'ends_at', former.ends_at)) end
        -- Whose it is no more: nothing else remembers it.
        || case when there.establishment_id is distinct from here.establishment_id
            then jsonb_strip_nulls(jsonb_build_object('former_establishment', there.establishment_id)) else '{}' end, at
    from site here, site there where here.id = a.site_id and there.id = former.site_id;
    insert into trace
    select * from entry(who, 'update', case when a.moved_late then 'appointment.move.late' else 'appointment.move' end, a.id, a.patient_id,
        coalesce(change(a.patient_id, 'starts_at', former.starts_at::text, a.starts_at::text), '{}')
        || coalesce(change(a.patient_id, 'practitioner', former.practitioner_id::text, a.practitioner_id::text), '{}'));
    return appointment_document(a);
end $$;
