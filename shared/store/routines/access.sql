-- Who may do what, as the policy of `domain::access` says (table `policy`), and the trace that every look leaves.
--
-- `who` is the actor as the runtime knows it at this request: at, account, session, role, establishment, practitioner
-- (who the actor is in the directory), attached (whose staff the actor is), level, address, request, purpose. Of a calendar elsewhere: at, role
-- (system), mailbox, establishment, purpose.

-- Whether a guardianship counts at an instant. One that somebody ended counts at none: clocks differ.
create or replace function in_force(g guardianship, at timestamptz) returns boolean language sql immutable parallel safe as $$
    select g.state <> 'refused' and g.ended_at is null and (g.until is null or g.until > at)
$$;

-- Whether an account is the patient beyond doubt: the file came with the account, or an operator has seen who it is. A link to
-- a file that was there before is made by a code and by names, and a parent knows both.
create or replace function surely_oneself(g guardianship, at timestamptz) returns boolean
language sql immutable parallel safe as $$
    select g.relation = 'self' and in_force(g, at) and (g.invited_by is null or g.state = 'proven')
$$;

-- Whether messages are the young person's own by then: of an age, and with an account to read them in.
create or replace function messages_private(g guardianship, at timestamptz) returns boolean language sql stable as $$
    select coalesce(g.messages_until <= at, false) and exists (
        select from guardianship own where own.patient_id = g.patient_id and own.relation = 'self' and in_force(own, at))
$$;

-- What a guardianship allows at an instant: `domain::age::effective_rights`.
create or replace function effective_rights(g guardianship, at timestamptz) returns text[] language sql stable as $$
    select case
        when not in_force(g, at) then '{}'
        when g.relation = 'self' then '{book,documents,messages,notices}'
        when messages_private(g, at) then array_remove(g.rights, 'messages')
        else g.rights end
$$;

-- Whether the patient has shut a professional out.
create or replace function blocked(of_patient uuid, professional uuid, at timestamptz) returns boolean language sql stable as $$
    select exists (select from block b
        where b.patient_id = of_patient and b.practitioner_id = professional and coalesce(b.bites_from, b.since) <= at and (b.until is null or b.until > at))
$$;

-- The same at once, also where the block bites only after a visit that its maker does not see: an emergency goes over none.
create or replace function shut_out_by(of_patient uuid, professional uuid, at timestamptz) returns boolean language sql stable as $$
    select exists (select from block b
        where b.patient_id = of_patient and b.practitioner_id = professional and b.since <= at and (b.until is null or b.until > at))
$$;

-- Whether a patient has a live care relation with one of these professionals in an establishment: a visit ahead or within
-- the last two years that makes one, and no block.
create or replace function cared_for(of_patient uuid, professionals uuid[], establishment uuid, at timestamptz)
returns boolean language sql stable as $$
    select exists (select from appointment a join site on site.id = a.site_id
        where a.patient_id = of_patient and a.practitioner_id = any (professionals) and a.status = 'booked' and a.care
          and a.ends_at > at - interval '2 years' and site.establishment_id = establishment
          and not blocked(of_patient, a.practitioner_id, at))
$$;

-- Whether one relation holds between the actor and a thing: whose patient, whose agenda, whose place. A patient's block
-- goes before every relation of a professional and of their staff.
create or replace function related(
    who jsonb, relation text, of_patient uuid, of_practitioner uuid, of_establishment uuid
) returns boolean language plpgsql stable as $$
declare
    me constant uuid := (who ->> 'account')::uuid;
    at constant timestamptz := (who ->> 'at')::timestamptz;
    establishment constant uuid := (who ->> 'establishment')::uuid;
    here constant boolean := coalesce(of_establishment = establishment, false);
    professional constant uuid := (who ->> 'practitioner')::uuid;
begin
    case
    when relation = 'anyone' then
        return true;
    when relation = 'oneself' then
        return exists (select from guardianship g
            where g.account_id = me and g.patient_id = of_patient and g.relation = 'self' and in_force(g, at));
    when relation = 'oneself-proven' then
        return exists (select from guardianship g
            where g.account_id = me and g.patient_id = of_patient and surely_oneself(g, at));
    when relation = 'guardian' then
        return exists (select from guardianship g
            where g.account_id = me and g.patient_id = of_patient and g.relation <> 'self' and in_force(g, at));
    when relation like 'guardian-%' then
        return exists (select from guardianship g
            where g.account_id = me and g.patient_id = of_patient and g.relation <> 'self' and in_force(g, at)
              and substr(related.relation, 10) = any (g.rights)
              and (related.relation <> 'guardian-messages' or not messages_private(g, at)));
    when relation = 'own-agenda' then
        return here and coalesce(of_practitioner = professional, false) and not blocked(of_patient, of_practitioner, at);
    when relation = 'attached' then
        return here and coalesce((who -> 'attached') ? of_practitioner::text, false)
            and not blocked(of_patient, of_practitioner, at);
    when relation = 'establishment' then
        return here;
    when relation = 'care' then
        return cared_for(of_patient, array[professional], establishment, at);
    when relation = 'staff-of-care' then
        return cared_for(of_patient, attached_to(who), establishment, at);
    when relation = 'emergency' then
        return not shut_out_by(of_patient, professional, at) and exists (select from emergency_access e
            where e.patient_id = of_patient and e.account_id = me and e.establishment_id = establishment
              and e.since <= at and e.until > at);
    when relation = 'unblocked' then
        return professional is not null and exists (select from patient where id = of_patient)
            and not shut_out_by(of_patient, professional, at);
    else
        raise exception 'the policy knows a relation that the database does not: %', relation;
    end case;
end $$;

-- Whether an account's right to practise is suspended.
create or replace function suspended(of_account uuid) returns boolean language sql stable as $$
    select exists (select from professional where account_id = of_account and state = 'suspended')
$$;

-- For whom the actor works.
create or replace function attached_to(who jsonb) returns uuid[] language sql immutable as $$
    select coalesce(array_agg(practitioner::uuid), '{}') from jsonb_array_elements_text(who -> 'attached') practitioner
$$;

-- Whether the actor may: some rule of their role whose relation holds. What a statement filters by; what it filters out
-- does not exist for the actor.
create or replace function may(
    who jsonb, of_resource text, to_do text, of_patient uuid, of_practitioner uuid, of_establishment uuid
) returns boolean language plpgsql stable as $$
declare
    rule text;
begin
    -- A calendar has no role: it moves visits, and that is all it may.
    if who ? 'mailbox' then
        return of_resource = 'appointment' and to_do = 'update' and may_follow(who, of_patient, of_practitioner, of_establishment);
    end if;
    for rule in
        select p.relation from policy p where p.role = who ->> 'role' and p.resource = of_resource and p.action = to_do
    loop
        if related(who, rule, of_patient, of_practitioner, of_establishment) then
            return true;
        end if;
    end loop;
    return false;
end $$;

-- Whether a visit is kept from the actor: a minor's secret, and the actor acts for them without being them beyond doubt.
create or replace function hidden(who jsonb, a appointment) returns boolean language sql stable as $$
    select a.secret_since is not null and who ->> 'role' = 'patient' and not related(who, 'oneself-proven', a.patient_id, null, null)
$$;

-- Whether a document is kept from those who act for a minor: it was marked so, or belongs to a visit that is, which it would tell of.
create or replace function document_secret(d document) returns boolean language sql stable as $$
    select d.hidden_from_representatives_since is not null
        or exists (select from appointment where id = d.appointment_id and secret_since is not null)
$$;

-- Why the actor looks at this patient: in an emergency, when nothing else would let them.
create or replace function purpose_of(who jsonb, of_patient uuid) returns text language sql stable as $$
    select case when who ->> 'role' = 'practitioner' and of_patient is not null
            and related(who, 'emergency', of_patient, null, null) and not related(who, 'care', of_patient, null, null)
        then 'ETREAT' else who ->> 'purpose' end
$$;

-- One line of the audit trail, to be inserted into `trace`.
create or replace function entry(
    who jsonb, action text, event text, object_id uuid, patient_id uuid, changes jsonb default null,
    outcome text default 'success'
) returns setof trace language sql stable rows 1 as $$
    select (who ->> 'at')::timestamptz,
           case when who ->> 'account' is not null then 'account' when who ? 'mailbox' then 'mailbox'
               when who ->> 'role' = 'system' then 'system' else 'anonymous' end,
           coalesce(who ->> 'account', who ->> 'mailbox')::uuid, (who ->> 'session')::uuid, who ->> 'role', (who ->> 'establishment')::uuid,
           (who ->> 'level')::smallint, who ->> 'address', who ->> 'request', purpose_of(who, patient_id),
           action, event, object_id, patient_id, outcome, changes
$$;

-- What an entry says of a change: the field's name, and hashes of before and after under a salt of the patient's own, so
-- that equal values are seen to be equal and none is read. Null when nothing changed.
create or replace function change(of_patient uuid, field text, before text, after text) returns jsonb language sql stable as $$
    select jsonb_build_object(field, jsonb_build_array(
        left(encode(sha256(convert_to(salt || '/' || field || '/' || before, 'UTF8')), 'hex'), 32),
        left(encode(sha256(convert_to(salt || '/' || field || '/' || after, 'UTF8')), 'hex'), 32)))
    from patient where id = of_patient and before is distinct from after
$$;

-- A patient's identity, still sealed: whoever has the keys opens it.
create or replace function sealed_person(of_patient uuid) returns jsonb language sql stable as $$
    select jsonb_build_object('id', id, 'wrapped_key', wrapped_key, 'identity', identity) from patient where id = of_patient
$$;

-- The holder of an account, by their own file; null for an account without one.
create or replace function person_of_account(of_account uuid) returns jsonb language sql stable as $$
    select sealed_person(own.patient_id) from guardianship own where own.account_id = of_account and own.relation = 'self'
$$;
