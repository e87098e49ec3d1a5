-- A child of the actor. Repeated by mistake (same names and birth date), even at once, it is the one already there.
-- `child` holds: id, given_name, family_name, birth_date, wrapped_key, until (when the child comes of age).
create or replace function add_patient(who jsonb, child jsonb) returns jsonb language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    p patient;
    g guardianship;
begin
    -- One child of an account at a time, so that two equal wishes find each other.
    perform pg_advisory_xact_lock(uuid_hash_extended(actor, 1));
    select patient.* into p
    from guardianship join patient on patient.id = guardianship.patient_id
    where guardianship.account_id = actor and guardianship.relation <> 'self'
      and fold(patient.given_name) = fold(child ->> 'given_name')
      and fold(patient.family_name) = fold(child ->> 'family_name')
      and patient.birth_date = (child ->> 'birth_date')::date
    order by patient.created_at limit 1;
    if found then
        insert into trace select * from entry(who, 'read', 'patient.read', p.id, p.id);
    else
        insert into resource (id, kind) values ((child ->> 'id')::uuid, 'patient');
        insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
        values ((child ->> 'id')::uuid, child ->> 'given_name', child ->> 'family_name', (child ->> 'birth_date')::date,
                child ->> 'wrapped_key', now_at)
        returning * into p;
        insert into guardianship (account_id, patient_id, relation, since, until)
        values (actor, p.id, 'parent', now_at, (child ->> 'until')::timestamptz);
        insert into trace select * from entry(who, 'create', 'patient.create', p.id, p.id);
    end if;
    select * into g from guardianship where account_id = actor and patient_id = p.id;
    return jsonb_build_object('id', p.id, 'given_name', p.given_name, 'family_name', p.family_name,
                              'birth_date', p.birth_date, 'relation', g.relation,
                              'rights', g.rights, 'until', g.until);
end $$;
