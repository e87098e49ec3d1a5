-- A child of the actor. Repeated by mistake (same names and birth date), even at once, it is the one already there.
-- `child` holds: id, given_name, family_name, birth_date, wrapped_key, request_id.
create or replace function add_patient(actor uuid, child jsonb, now_at timestamptz) returns jsonb language plpgsql as $$
declare
    p patient;
    relation text;
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
        relation := (select g.relation from guardianship g where g.account_id = actor and g.patient_id = p.id);
        insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
        values (now_at, 'account', actor, 'read', 'patient.read', p.id, p.id, child ->> 'request_id');
    else
        relation := 'parent';
        insert into resource (id, kind) values ((child ->> 'id')::uuid, 'patient');
        insert into patient (id, given_name, family_name, birth_date, wrapped_key, created_at)
        values ((child ->> 'id')::uuid, child ->> 'given_name', child ->> 'family_name', (child ->> 'birth_date')::date,
                child ->> 'wrapped_key', now_at)
        returning * into p;
        insert into guardianship (account_id, patient_id, relation, since) values (actor, p.id, relation, now_at);
        insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id)
        values (now_at, 'account', actor, 'create', 'patient.create', p.id, p.id, child ->> 'request_id');
    end if;
    return jsonb_build_object('id', p.id, 'given_name', p.given_name, 'family_name', p.family_name,
                              'birth_date', p.birth_date, 'relation', relation);
end $$;
