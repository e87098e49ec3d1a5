-- Who may do what to documents, and the writes that a CTE would be too long for.

-- What the actor may do to the documents of a patient: asked once for all of them.
create or replace function document_rights(who jsonb, to_do text, of_patient uuid) returns jsonb language sql stable as $$
    select jsonb_build_object(
        -- Whose key was destroyed has no documents any more.
        'medical', there.is and may(who, 'document', to_do, of_patient, null, null),
        'administrative', there.is and may(who, 'administrative-document', to_do, of_patient, null, null),
        -- Those who act for the patient, and who passes for them without proof.
        'represents', who ->> 'role' = 'patient' and not related(who, 'oneself-proven', of_patient, null, null))
    from (select exists (select from patient where id = of_patient and wrapped_key is not null) as is) there
$$;

-- Whether a professional deposited it there, in that capacity: they can announce it, correct it and take it back also when no
-- visit makes a care relation any more; but not over a block, nor when the patient's key is gone.
create or replace function document_own(who jsonb, d document) returns boolean language sql stable as $$
    select who ->> 'role' <> 'patient' and d.author_id = (who ->> 'account')::uuid and d.author_role = who ->> 'role'
       and d.establishment_id = (who ->> 'establishment')::uuid
       and not coalesce(blocked(d.patient_id, d.practitioner_id, (who ->> 'at')::timestamptz), false)
       and exists (select from patient where id = d.patient_id and wrapped_key is not null)
$$;

-- Whether those rights reach a document, in the order of the decision (CSP art. R. 1111-43, L. 1111-5): a block has ended the
-- rights of a professional before; then what its author has not announced, what a minor keeps, what the patient masks.
create or replace function document_reached(who jsonb, rights jsonb, d document) returns boolean language sql stable as $$
    select (case when d.administrative then (rights ->> 'administrative')::boolean else (rights ->> 'medical')::boolean end
            or document_own(who, d))
       and d.purged_at is null
       and case
        when who ->> 'role' = 'patient' then
            d.hidden_from_patient_since is null
            and (not (rights ->> 'represents')::boolean or not document_secret(d))
        else d.hidden_from_professionals_since is null or d.author_id = (who ->> 'account')::uuid
            or coalesce(d.practitioner_id = (who ->> 'practitioner')::uuid, false)
            or exists (select from patient where id = d.patient_id
                       and attending_practitioner_id = (who ->> 'practitioner')::uuid)
        end
       -- What is not judged yet, or was taken back, is between its author and us.
       and ((d.current_version is not null and d.withdrawn_at is null) or d.author_id = (who ->> 'account')::uuid)
$$;

-- Both at once, for one document.
create or replace function document_may(who jsonb, to_do text, d document) returns boolean language sql stable as $$
    select document_reached(who, document_rights(who, to_do, d.patient_id), d)
$$;

-- Whether the actor decides what is kept from those who act for a minor: the minor, or the practitioner it is of.
create or replace function document_secrecy(who jsonb, d document) returns boolean language sql stable as $$
    select may(who, 'secrecy', 'update', d.patient_id, d.practitioner_id, d.establishment_id)
$$;

-- A version as functions read it. Of one that is not shown only its author hears.
create or replace function document_version_document(v document_version) returns jsonb language sql stable as $$
    select jsonb_build_object('number', v.number, 'state', v.state, 'refusal', v.refusal, 'findings', v.findings,
        'media_type', v.media_type, 'size_bytes', v.size_bytes, 'pages', v.pages, 'created_at', v.created_at,
        'available_at', case when v.state = 'available' then v.settled_at end,
        'signatures_at', v.signatures_at, 'scanned', v.scanner is not null,
        'parts', (select coalesce(jsonb_agg(o.part order by o.part), '[]') from document_object o
                  where o.document_id = v.document_id and o.version = v.number and o.state = 'written' and o.part <> 'staging'))
$$;

-- A document as every function returns it, title still sealed.
create or replace function document_document(who jsonb, d document) returns jsonb language plpgsql stable as $$
begin
    return (select jsonb_build_object(
        'id', d.id, 'patient', d.patient_id, 'wrapped_key', patient.wrapped_key, 'title', d.title, 'type', d.type_code,
        'act_date', d.act_date, 'language', d.language, 'revision', d.revision,
        'author_kind', case when d.author_role <> 'patient' then 'professional'
            when d.author_id = (who ->> 'account')::uuid then 'you' else 'family' end,
        'author', case when d.practitioner_id is not null then name_of_practitioner(d.practitioner_id) end,
        'practitioner', d.practitioner_id, 'site', d.site_id, 'appointment', d.appointment_id, 'created_at', d.created_at,
        'mine', d.author_id = (who ->> 'account')::uuid,
        'withdrawn', d.withdrawn_at is not null,
        'hidden_from_patient', d.hidden_from_patient_since is not null,
        'hidden_from_representatives', document_secret(d),
        'hidden_from_professionals', d.hidden_from_professionals_since is not null,
        'shown', (select document_version_document(v) from document_version v
                  where v.document_id = d.id and v.number = d.current_version),
        'latest', (select document_version_document(v) from document_version v
                   where v.document_id = d.id and d.author_id = (who ->> 'account')::uuid
                   order by v.number desc limit 1))
    from patient where patient.id = d.patient_id);
end $$;

-- An upload as it is signed: for its author only.
create or replace function upload_document(who jsonb, d document, v document_version) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'document', document_document(who, d), 'number', v.number, 'state', v.state, 'media_type', v.media_type,
        'size_bytes', v.size_bytes, 'upload', v.upload, 'upload_name', v.upload_name,
        'staging', (select key from document_object o
                    where o.document_id = d.id and o.version = v.number and o.part = 'staging' and o.state <> 'deleted'))
$$;

-- Opens the upload of a document, or of another version of one. `wish` holds: id, new (false for another version), patient, type, administrative,
-- title, act_date, language, practitioner, site, appointment, hidden_from_patient, hidden_from_representatives, media_type,
-- size_bytes, content_hash, upload, staging, operation, key, request_hash.
-- Returns {"outcome": "created" | "replayed" | "key_reused" | "unseen" | "not_yours", "upload": …}.
create or replace function open_upload(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    actor constant uuid := (who ->> 'account')::uuid;
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    is_new constant boolean := (wish ->> 'new')::boolean;
    earlier idempotency;
    d document;
    v document_version;
begin
    -- One request of that name at a time.
    perform pg_advisory_xact_lock(hashtextextended(actor || ' ' || (wish ->> 'operation') || ' ' || (wish ->> 'key'), 2));
    select * into earlier from idempotency
    where account_id = actor and operation = wish ->> 'operation' and key = wish ->> 'key';
    if found then
        if earlier.request_hash <> wish ->> 'request_hash' then
            return jsonb_build_object('outcome', 'key_reused');
        end if;
        select * into d from document where id = (earlier.answer ->> 'id')::uuid and author_id = actor;
        if not found or not document_may(who, 'read', d) then
            return jsonb_build_object('outcome', 'unseen');
        end if;
        select * into v from document_version where document_id = d.id and number = (earlier.answer ->> 'version')::integer;
        insert into trace select * from entry(who, 'read', 'document.read', d.id, d.patient_id);
        return jsonb_build_object('outcome', 'replayed', 'upload', upload_document(who, d, v));
    end if;
    if is_new then
        d.id := (wish ->> 'id')::uuid;
        d.patient_id := (wish ->> 'patient')::uuid;
        d.type_code := wish ->> 'type';
        d.administrative := (wish ->> 'administrative')::boolean;
        d.title := wish ->> 'title';
        d.act_date := (wish ->> 'act_date')::date;
        d.language := wish ->> 'language';
        d.author_id := actor;
        d.author_role := who ->> 'role';
        d.practitioner_id := (wish ->> 'practitioner')::uuid;
        d.establishment_id := (who ->> 'establishment')::uuid;
        d.site_id := (wish ->> 'site')::uuid;
        d.appointment_id := (wish ->> 'appointment')::uuid;
        d.created_at := now_at;
        d.revision := 1;
        if (wish ->> 'hidden_from_patient')::boolean then
            d.hidden_from_patient_since := now_at;
        end if;
        -- Of a professional whom only secret visits explain, those who act for the minor are not to hear.
        if (wish ->> 'hidden_from_representatives')::boolean or (
            d.practitioner_id is not null
            and exists (select from appointment a where a.patient_id = d.patient_id and a.practitioner_id = d.practitioner_id
                        and a.secret_since is not null)
            and not exists (select from appointment a where a.patient_id = d.patient_id and a.practitioner_id = d.practitioner_id
                            and a.secret_since is null)) then
            d.hidden_from_representatives_since := now_at;
            d.hidden_from_representatives_by := actor;
        end if;
        if not may(who, case when d.administrative then 'administrative-document' else 'document' end, 'create', d.patient_id, null, null) then
            return jsonb_build_object('outcome', 'unseen');
        end if;
        insert into document select d.*;
    else
        select * into d from document where id = (wish ->> 'id')::uuid for update;
        if not found or not document_may(who, 'update', d) then
            return jsonb_build_object('outcome', 'unseen');
        end if;
        if d.author_id <> actor or d.withdrawn_at is not null then
            return jsonb_build_object('outcome', 'not_yours');
        end if;
    end if;
    insert into document_version (document_id, number, state, media_type, size_bytes, content_hash, upload, author_id, created_at)
    select d.id, coalesce(max(number), 0) + 1, 'awaiting_upload', wish ->> 'media_type', (wish ->> 'size_bytes')::bigint,
           wish ->> 'content_hash', wish ->> 'upload', actor, now_at
    from document_version where document_id = d.id
    returning * into v;
    insert into document_object (key, document_id, version, part, state, planned_at)
    values (wish ->> 'staging', d.id, v.number, 'staging', 'planned', now_at);
    insert into idempotency (account_id, operation, key, request_hash, answer, created_at)
    values (actor, wish ->> 'operation', wish ->> 'key', wish ->> 'request_hash',
            jsonb_build_object('id', d.id, 'version', v.number), now_at);
    insert into trace
    select * from entry(who, case when is_new then 'create' else 'update' end,
                        case when is_new then 'document.create' else 'document.version' end, d.id, d.patient_id);
    return jsonb_build_object('outcome', 'created', 'upload', upload_document(who, d, v));
end $$;

-- Until when a patient's documents are kept at least: twenty years after the last contact, and until the 28th birthday (CSP
-- art. R. 1112-7); for ever while something is contested. `adult_from` is the 18th birthday.
create or replace function kept_until(p patient) returns timestamptz language sql stable as $$
    select case when p.legal_hold then 'infinity'::timestamptz else greatest(
        p.adult_from + interval '10 years',
        p.created_at + interval '20 years',
        (select max(a.ends_at) from appointment a where a.patient_id = p.id and a.status = 'booked') + interval '20 years',
        (select max(d.created_at) from document d where d.patient_id = p.id and d.author_role <> 'patient') + interval '20 years')
    end
$$;

-- Plans where the bytes of a judged version will lie, before they do. What an attempt that was cut had planned is to be removed.
-- `objects` holds [{key, part, wrapped_key, media_type, clear_bytes}]. False when the lease is another's by now.
create or replace function plan_objects(of_document uuid, of_version bigint, held uuid, objects jsonb, at timestamptz)
returns boolean language plpgsql as $$
begin
    perform from document_version where document_id = of_document and number = of_version and lease = held for update;
    if not found then
        return false;
    end if;
    update document_object set state = 'deleted'
    where document_id = of_document and version = of_version and part <> 'staging' and state = 'planned';
    insert into document_object (key, document_id, version, part, state, wrapped_key, media_type, clear_bytes, planned_at)
    select o.key, of_document, of_version, o.part, 'planned', o.wrapped_key, o.media_type, o.clear_bytes, at
    from jsonb_to_recordset(objects) as o (key text, part text, wrapped_key text, media_type text, clear_bytes bigint);
    return true;
end $$;

-- Whether somebody on the patient's side is told that a document is there: who may see it, and did not deposit it.
create or replace function document_concerns(d document, g guardianship, at timestamptz) returns boolean language sql stable as $$
    select in_force(g, at) and g.account_id <> d.author_id and d.hidden_from_patient_since is null
       and (g.relation = 'self' or g.rights @> '{documents,notices}')
       and (surely_oneself(g, at) or not document_secret(d))
$$;

-- Whether a practitioner is: it is from them, or of a visit with them, somebody else deposited it, and the patient has not shut
-- them out nor masked it.
create or replace function document_concerns_practitioner(d document, of_practitioner uuid, at timestamptz)
returns boolean language sql stable as $$
    select not blocked(d.patient_id, of_practitioner, at)
       and (d.hidden_from_professionals_since is null or coalesce(d.practitioner_id = of_practitioner, false))
       and not exists (select from membership m where m.account_id = d.author_id and m.practitioner_id = of_practitioner)
$$;
