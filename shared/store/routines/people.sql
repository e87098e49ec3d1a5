-- Writes about people that are too long for a `with`.

-- The invitation behind a code, locked, or none, which is counted: of an account that tried too often none is good, the
-- right one neither. Raises the name of the limit.
create or replace function take_invitation(who jsonb, hash text) returns invitation language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    i invitation;
begin
    perform from invitation_miss m where m.account_id = me and m.day = at::date and m.misses >= 10;
    if found then
        raise exception 'too many wrong codes' using errcode = '23514', constraint = 'invitation_miss_limit';
    end if;
    select * into i from invitation where code_hash = hash for update;
    if found and i.accepted_at is null and i.expires_at > at then
        return i;
    end if;
    -- Sent again by who took it up, it is no guess.
    if i.accepted_by = me then
        return null;
    end if;
    insert into invitation_miss as m (account_id, day, misses) values (me, at::date, 1)
    on conflict on constraint invitation_miss_pkey do update set misses = m.misses + 1;
    insert into trace select * from entry(who, 'execute', 'invitation.miss', null, null, null, 'refused');
    return null;
end $$;

-- Takes up an invitation to act for a patient, or to be linked to one's own file beside those who act.
-- Returns {"outcome": "accepted" | "no_code" | "exists" | "of_age" | "not_you" | "in_use", "guardianship": …}.
create or replace function accept_guardianship(who jsonb, hash text) returns jsonb language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    i invitation;
    p patient;
    mine patient;
    g guardianship;
    may_until timestamptz;
begin
    i := take_invitation(who, hash);
    if i.patient_id is null then
        return jsonb_build_object('outcome', 'no_code');
    end if;
    -- One change of who acts at a time.
    select * into p from patient where id = i.patient_id for update;
    -- Whoever invited must still be who may; or have been until the young person came of age, who takes up their own file: from
    -- then on nobody else could make them another code.
    may_until := case when i.relation = 'self' then least(at, p.adult_from - interval '1 second') else at end;
    perform from guardianship inviter
    where inviter.account_id = i.invited_by and inviter.patient_id = p.id and inviter.relation <> 'self'
      and 'documents' = any (effective_rights(inviter, may_until)) and i.rights <@ effective_rights(inviter, may_until);
    if not found then
        return jsonb_build_object('outcome', 'no_code');
    end if;
    select patient.* into mine from guardianship own join patient on patient.id = own.patient_id
    where own.account_id = me and own.relation = 'self';
    if exists (select from guardianship own
               where own.account_id = me and own.patient_id = p.id and (in_force(own, at) or own.state = 'refused')) then
        return jsonb_build_object('outcome', 'exists');
    end if;
    if i.relation = 'self' then
        -- The file that came with the account, still empty, gives way to the one that is the patient's already.
        if mine.id is null or mine.twin_lookup is distinct from p.twin_lookup then
            return jsonb_build_object('outcome', 'not_you');
        end if;
        if exists (select from appointment where patient_id = mine.id)
            or exists (select from guardianship other where other.patient_id = mine.id and other.account_id <> me)
            or exists (select from block where patient_id = mine.id)
            or exists (select from emergency_access where patient_id = mine.id) then
            return jsonb_build_object('outcome', 'in_use');
        end if;
        if exists (select from guardianship own where own.patient_id = p.id and own.relation = 'self' and in_force(own, at)) then
            return jsonb_build_object('outcome', 'exists');
        end if;
        delete from invitation where patient_id = mine.id;
        delete from guardianship where patient_id = mine.id;
        delete from patient where id = mine.id;
        delete from resource where id = mine.id;
        insert into trace select * from entry(who, 'delete', 'patient.delete.empty', mine.id, mine.id);
    elsif p.adult_from <= at then
        return jsonb_build_object('outcome', 'of_age');
    elsif mine.id is null or mine.adult_from is null or mine.adult_from > at then
        return jsonb_build_object('outcome', 'not_you');
    end if;
    insert into guardianship (account_id, patient_id, relation, rights, state, invited_by, since)
    values (me, p.id, i.relation, i.rights, 'declared', i.invited_by, at)
    on conflict on constraint guardianship_pkey do update
    set relation = excluded.relation, rights = excluded.rights, state = 'declared', invited_by = excluded.invited_by,
        since = excluded.since, until = null, ended_at = null, proof = null, proof_reference = null, proof_given_at = null, court_ordered = false
    returning * into g;
    update patient set guardians_version = guardians_version + 1 where id = p.id;
    update invitation set accepted_at = at, accepted_by = me where id = i.id;
    insert into trace select * from entry(who, 'create', 'guardianship.accept', g.id, p.id);
    return jsonb_build_object('outcome', 'accepted', 'guardianship', guardian_document(g, who));
end $$;

-- A guardian as others see them: never an address, a telephone or the account.
create or replace function guardian_document(g guardianship, who jsonb) returns jsonb language sql stable as $$
    select jsonb_build_object('id', g.id, 'patient', g.patient_id, 'person', person_of_account(g.account_id),
        'relation', g.relation, 'rights', effective_rights(g, (who ->> 'at')::timestamptz), 'state', g.state,
        'mine', g.account_id = (who ->> 'account')::uuid,
        'invited_by_me', coalesce(g.invited_by = (who ->> 'account')::uuid, false),
        'since', g.since, 'until', g.until, 'proof', g.proof, 'court_ordered', g.court_ordered)
$$;

-- Shuts a professional out, unless a visit with them lies ahead that the actor sees. Of a visit that is kept from the actor
-- they are not told: then the block bites once that is over. Under the locks that a booking takes, so that of a booking
-- and a block at once one sees the other. Returns {"outcome": "shut_out" | "visit_ahead" | "unknown", "block": …}.
create or replace function shut_out(who jsonb, of_patient uuid, professional uuid) returns jsonb language plpgsql as $$
declare
    at constant timestamptz := (who ->> 'at')::timestamptz;
    seen boolean;
    unseen_until timestamptz;
begin
    if not may(who, 'block', 'create', of_patient, professional, null) then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    perform from practitioner where id = professional;
    if not found then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    perform lock_resources(array[professional, of_patient]);
    select coalesce(bool_or(not hidden(who, ahead)), false), max(ends_at) filter (where hidden(who, ahead))
    into seen, unseen_until
    from appointment ahead
    where patient_id = of_patient and practitioner_id = professional and ends_at > at
      and (status = 'booked' or (status = 'held' and hold_expires_at > at));
    if seen then
        return jsonb_build_object('outcome', 'visit_ahead');
    end if;
    insert into block as b (patient_id, practitioner_id, since, bites_from) values (of_patient, professional, at, unseen_until)
    on conflict on constraint block_pkey do update set since = excluded.since, until = null, bites_from = excluded.bites_from
    where b.until is not null and b.until <= at;
    insert into trace select * from entry(who, 'create', 'block.create', professional, of_patient);
    return jsonb_build_object('outcome', 'shut_out', 'block', (
        select jsonb_build_object('practitioner', professional, 'name', name_of_practitioner(professional), 'since', since)
        from block where patient_id = of_patient and practitioner_id = professional));
end $$;

-- As the directory calls them.
create or replace function name_of_practitioner(professional uuid) returns text language sql stable as $$
    select concat_ws(' ', nullif(title, ''), given_name, family_name) from practitioner where id = professional
$$;

-- A patient's attending physician as functions return them; null for none.
create or replace function attending_physician(of_practitioner uuid) returns jsonb language sql stable as $$
    select jsonb_build_object('practitioner', id, 'name', name_of_practitioner(id)) from practitioner where id = of_practitioner
$$;

-- In what an account may act: as a patient always, in each membership that lasts, for the platform.
create or replace function capacities_of(of_account uuid, at timestamptz) returns jsonb language sql stable as $$
    select jsonb_agg(jsonb_build_object('role', c.role, 'membership', c.id, 'establishment', c.establishment_id,
                                        'establishment_name', c.name) order by c.place, c.since, c.id)
    from (
        select 0 as place, 'patient' as role, null::uuid as id, null::uuid as establishment_id, null as name, null::timestamptz as since
        union all
        select 1, membership.role, membership.id, establishment.id, establishment.name, membership.since
        from membership join establishment on establishment.id = membership.establishment_id
        where account_id = of_account and since <= at and (until is null or until > at) and not suspended(of_account)
        union all
        select 2, platform_role, null, null, null, null from account where id = of_account and platform_role is not null
    ) c
$$;

-- Whether a practitioner has a place in an establishment.
create or replace function practises_at(professional uuid, establishment uuid) returns boolean language sql stable as $$
    select exists (select from practice join site on site.id = practice.site_id
                   where practice.practitioner_id = professional and site.establishment_id = establishment)
$$;

-- A member as an administrator sees them: a practitioner by the directory's name, others by the name that is still sealed.
create or replace function member_document(m membership, who jsonb) returns jsonb language sql stable as $$
    select jsonb_build_object('id', m.id, 'role', m.role, 'since', m.since, 'practitioner', m.practitioner_id,
        'name', coalesce(name_of_practitioner(m.practitioner_id), m.name),
        'sealed_name', case when m.sealed_name is not null
            then jsonb_build_object('owner', m.name_owner, 'wrapped_key', m.name_key, 'text', m.sealed_name) end,
        'attached', (select coalesce(jsonb_agg(jsonb_build_object('practitioner', a.practitioner_id,
                                                 'name', name_of_practitioner(a.practitioner_id)) order by a.since, a.practitioner_id), '[]')
                     from attachment a
                     where a.membership_id = m.id and (a.until is null or a.until > (who ->> 'at')::timestamptz)))
$$;

-- Takes up an invitation to work in an establishment.
-- Returns {"outcome": "accepted" | "no_code" | "exists" | "not_professional", "member": …}.
create or replace function accept_membership(who jsonb, hash text, new_id uuid) returns jsonb language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    i invitation;
    m membership;
    professional_id uuid;
begin
    i := take_invitation(who, hash);
    if i.establishment_id is null then
        return jsonb_build_object('outcome', 'no_code');
    end if;
    -- Whoever invited must still be who may.
    perform from account inviter
    where inviter.id = i.invited_by and inviter.state = 'active'
      and (inviter.platform_role = 'operator' or exists (
          select from membership a
          where a.account_id = inviter.id and a.establishment_id = i.establishment_id and a.role = 'administrator'
            and (a.until is null or a.until > at)));
    if not found then
        return jsonb_build_object('outcome', 'no_code');
    end if;
    if i.role = 'practitioner' then
        select practitioner_id into professional_id from professional
        where account_id = me and state = 'validated' and practises_at(practitioner_id, i.establishment_id)
        order by applied_at, id limit 1;
        if professional_id is null then
            return jsonb_build_object('outcome', 'not_professional');
        end if;
    end if;
    insert into membership (id, account_id, establishment_id, role, practitioner_id, name, name_owner, name_key, sealed_name, since)
    values (new_id, me, i.establishment_id, i.role, professional_id, i.name, i.id, i.name_key, i.sealed_name, at)
    on conflict (account_id, establishment_id, role) where until is null do nothing
    returning * into m;
    if not found then
        return jsonb_build_object('outcome', 'exists');
    end if;
    update invitation set accepted_at = at, accepted_by = me where id = i.id;
    insert into trace select * from entry(who, 'create', 'membership.accept', m.id, null);
    return jsonb_build_object('outcome', 'accepted', 'member', member_document(m, who));
end $$;

-- Ends a membership in the establishment of the session. The last administrator stays: the row of the establishment is
-- locked, so that of two who leave at once one finds themself the last.
-- Returns {"outcome": "ended" | "unknown" | "last", "member": …}.
create or replace function end_membership(who jsonb, which uuid) returns jsonb language plpgsql as $$
declare
    at constant timestamptz := (who ->> 'at')::timestamptz;
    m membership;
begin
    perform from establishment where id = (who ->> 'establishment')::uuid for update;
    -- Whatever has an end was ended by somebody: perhaps by a clock that is a little ahead.
    select * into m from membership
    where id = which and establishment_id = (who ->> 'establishment')::uuid and until is null
      and may(who, 'membership', 'delete', null, null, establishment_id);
    if not found then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    if m.role = 'administrator' and not exists (
        select from membership other
        where other.establishment_id = m.establishment_id and other.role = 'administrator' and other.id <> m.id
          and other.until is null) then
        return jsonb_build_object('outcome', 'last');
    end if;
    update membership set until = greatest(at, since) where id = m.id returning * into m;
    delete from invitation
    where invited_by = m.account_id and establishment_id = m.establishment_id and accepted_at is null and m.role = 'administrator';
    insert into trace select * from entry(who, 'delete', 'membership.end', m.id, null);
    return jsonb_build_object('outcome', 'ended', 'member', member_document(m, who));
end $$;

-- A claim to be a professional, as operators and the claimant see it; the operator's words still sealed.
create or replace function professional_document(p professional) returns jsonb language sql stable as $$
    select jsonb_build_object('id', p.id, 'practitioner', p.practitioner_id, 'rpps', practitioner.rpps,
        'name', name_of_practitioner(p.practitioner_id), 'profession', p.profession, 'state', p.state,
        'applied_at', p.applied_at, 'decided_at', p.decided_at, 'reason', nullif(p.reason, ''),
        'sealed_reason', case when p.sealed_reason is not null
            then jsonb_build_object('owner', p.id, 'wrapped_key', p.reason_key, 'text', p.sealed_reason) end)
    from practitioner where practitioner.id = p.practitioner_id
$$;

-- Opens a look in an emergency, or goes on with the one that is open: of many at once one is opened, and told.
create or replace function open_in_emergency(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    of_patient constant uuid := (wish ->> 'patient')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    e emergency_access;
begin
    perform pg_advisory_xact_lock(hashtextextended(me || ' ' || of_patient, 3));
    select * into e from emergency_access
    where account_id = me and patient_id = of_patient and establishment_id = (who ->> 'establishment')::uuid
      -- One that began a little later on another instance's clock is open too.
      and until > now_at
    order by until desc limit 1;
    if not found then
        insert into emergency_access (id, account_id, patient_id, establishment_id, reason, since, until)
        values ((wish ->> 'id')::uuid, me, of_patient, (who ->> 'establishment')::uuid, wish ->> 'reason', now_at,
                (wish ->> 'until')::timestamptz)
        returning * into e;
        insert into outbox (kind, subject, data, occurred_at)
        values ('emergency-access.opened.v1', e.id, jsonb_build_object('emergency_access', e.id, 'patient', of_patient), now_at);
    end if;
    insert into trace select * from entry(who || '{"purpose": "ETREAT"}', 'create', 'emergency-access.open', e.id, of_patient);
    return jsonb_build_object('id', e.id, 'patient', of_patient, 'until', e.until);
end $$;

-- Whether an account must stay because a visit ahead of somebody for whom nobody else acts could be called off by nobody.
-- Whoever changes who acts for those patients waits meanwhile: of two who leave at once the second sees that the first did.
create or replace function needed_for_a_visit(of_account uuid, at timestamptz) returns boolean language plpgsql volatile as $$
begin
    perform from patient
    where id in (select patient_id from guardianship g where g.account_id = of_account and in_force(g, at))
    order by id for update;
    return exists (
        select from guardianship g join appointment a on a.patient_id = g.patient_id
        where g.account_id = of_account and in_force(g, at) and a.status = 'booked' and a.starts_at > at
          -- Of a visit that is kept from them they are not told here either.
          and (a.secret_since is null or surely_oneself(g, at))
          and not exists (
              select from guardianship other join account theirs on theirs.id = other.account_id
              where other.patient_id = g.patient_id and other.account_id <> of_account
                and in_force(other, at) and theirs.state = 'active'
                and (other.relation = 'self' or 'book' = any (other.rights))));
end $$;
