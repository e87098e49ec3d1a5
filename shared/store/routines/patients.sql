-- A child of the actor. Repeated by mistake (same names and birth date), even at once, it is the one already there.
-- `child` holds: id, wrapped_key, identity (sealed), twin_lookup, private_from and adult_from (when the
-- child reaches the ages that change something).
create or replace function add_patient(who jsonb, child jsonb) returns jsonb language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    p patient;
    g guardianship;
begin
    -- Who is a minor has others who act for them, and acts for nobody.
    perform from guardianship own join patient mine on mine.id = own.patient_id
    where own.account_id = actor and own.relation = 'self' and in_force(own, now_at) and mine.adult_from <= now_at;
    if not found then
        raise exception 'a child needs an adult' using errcode = '42501', constraint = 'adult_needed';
    end if;
    -- One child of an account at a time, so that two equal wishes find each other.
    perform pg_advisory_xact_lock(uuid_hash_extended(actor, 1));
    select patient.* into p
    from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = actor and guardianship.relation <> 'self'
      -- A child one left, or was refused, is another's by now.
      and in_force(guardianship, now_at)
      and patient.twin_lookup = child ->> 'twin_lookup'
    order by patient.created_at limit 1;
    if found then
        insert into trace select * from entry(who, 'read', 'patient.read', p.id, p.id);
    else
        insert into resource (id, kind) values ((child ->> 'id')::uuid, 'patient');
        insert into patient (id, wrapped_key, identity, twin_lookup, private_from, adult_from, created_at)
        values ((child ->> 'id')::uuid, child ->> 'wrapped_key', child ->> 'identity', child ->> 'twin_lookup',
                (child ->> 'private_from')::timestamptz, (child ->> 'adult_from')::timestamptz, now_at)
        returning * into p;
        insert into guardianship (account_id, patient_id, relation, since) values (actor, p.id, 'parent', now_at);
        insert into trace select * from entry(who, 'create', 'patient.create', p.id, p.id);
    end if;
    select * into g from guardianship where account_id = actor and patient_id = p.id;
    return jsonb_build_object('id', p.id, 'wrapped_key', p.wrapped_key, 'identity', p.identity, 'relation', g.relation,
                              'rights', effective_rights(g, now_at), 'until', g.until);
end $$;
