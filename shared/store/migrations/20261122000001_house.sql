-- The house: people, places, calendars, appointments, and what leaves with every write.
-- Conventions: singular tables; every constraint is named, since a name is what the code maps to an error;
-- minutes are counted from local midnight of the site; ranges are half-open.

create extension if not exists btree_gist;
create extension if not exists pg_trgm;
create extension if not exists unaccent;

-- Folds case and accents for search. `unaccent` is only stable because its dictionary could change; ours does not.
create function fold(words text) returns text
    language sql immutable strict parallel safe
    as $$ select lower(public.unaccent('public.unaccent'::regdictionary, words)) $$;

-- ---------------------------------------------------------------------------------------------------------- resources

-- Whatever cannot be in two places. Rooms and devices come later and need no change here.
create table resource (
    id uuid constraint resource_pkey primary key,
    kind text not null constraint resource_kind_known check (kind in ('practitioner', 'patient', 'room', 'device'))
);

create table specialty (
    code text constraint specialty_pkey primary key,
    label_fr text not null,
    label_en text not null,
    -- What people type: 'orthophoniste', 'pédiatre', 'speech therapist'. Kept folded.
    words text[] not null default '{}'
);

create table practitioner (
    id uuid constraint practitioner_pkey primary key
        constraint practitioner_is_resource references resource (id),
    rpps text constraint practitioner_rpps_key unique,
    title text not null default '',
    given_name text not null,
    family_name text not null,
    languages text[] not null default '{fr}',
    email text,
    phone text,
    active boolean not null default true,
    -- Has an agenda that families may book by themselves.
    online boolean not null default false,
    -- Grows with every change of a rule below, so that a booking decided on older rules is refused.
    agenda_version bigint not null default 1,
    search_name text not null generated always as (fold(given_name || ' ' || family_name)) stored,
    sort_name text not null generated always as (fold(family_name || ' ' || given_name)) stored,
    updated_at timestamptz not null default now()
);
create index practitioner_search_name on practitioner using gin (search_name gin_trgm_ops);
create index practitioner_sort_name on practitioner ((not online), sort_name, id) where active;

create table practitioner_specialty (
    practitioner_id uuid not null constraint practitioner_specialty_practitioner references practitioner (id),
    specialty_code text not null constraint practitioner_specialty_specialty references specialty (code),
    constraint practitioner_specialty_pkey primary key (practitioner_id, specialty_code)
);
create index practitioner_specialty_code on practitioner_specialty (specialty_code, practitioner_id);

create table site (
    id uuid constraint site_pkey primary key,
    -- Identity in the source it was imported from; makes an import idempotent.
    source_key text constraint site_source_key_key unique,
    name text not null,
    address_line text not null default '',
    postal_code text not null,
    city text not null,
    lat double precision constraint site_lat_range check (lat between -90 and 90),
    lon double precision constraint site_lon_range check (lon between -180 and 180),
    time_zone text not null,
    holidays text not null default 'metropole',
    accessibility text[] not null default '{}',
    search_city text not null generated always as (fold(city)) stored,
    search_name text not null generated always as (fold(name)) stored
);
create index site_city on site (search_city text_pattern_ops);
create index site_postal_code on site (postal_code text_pattern_ops);
create index site_name on site using gin (search_name gin_trgm_ops);
create index site_lat_lon on site (lat, lon);

create table practice (
    practitioner_id uuid not null constraint practice_practitioner references practitioner (id),
    site_id uuid not null constraint practice_site references site (id),
    constraint practice_pkey primary key (practitioner_id, site_id)
);
create index practice_site on practice (site_id, practitioner_id);

-- ------------------------------------------------------------------------------------------------- the practitioner's time

-- Why one comes, with how long it takes and who pays what. One reason, one channel.
create table reason (
    id uuid constraint reason_pkey primary key,
    practitioner_id uuid not null constraint reason_practitioner references practitioner (id),
    specialty_code text not null constraint reason_specialty references specialty (code),
    label_fr text not null,
    label_en text not null,
    channel text not null constraint reason_channel_known check (channel in ('in_person', 'video', 'phone', 'home')),
    duration_minutes integer not null constraint reason_duration_range check (duration_minutes between 5 and 720),
    buffer_before_minutes integer not null default 0
        constraint reason_buffer_before_range check (buffer_before_minutes between 0 and 240),
    buffer_after_minutes integer not null default 0
        constraint reason_buffer_after_range check (buffer_after_minutes between 0 and 240),
    step_minutes integer constraint reason_step_range check (step_minutes between 5 and 720),
    notice_minutes integer not null default 0 constraint reason_notice_range check (notice_minutes between 0 and 525600),
    horizon_days integer not null default 180 constraint reason_horizon_range check (horizon_days between 1 and 365),
    -- Cancelled or moved with less notice than this is "late".
    late_notice_minutes integer not null default 1440
        constraint reason_late_notice_range check (late_notice_minutes between 0 and 43200),
    fee_min_cents integer constraint reason_fee_min_range check (fee_min_cents >= 0),
    fee_max_cents integer constraint reason_fee_max_range check (fee_max_cents >= fee_min_cents),
    bookable boolean not null default true,
    position integer not null default 0
);
create index reason_practitioner on reason (practitioner_id, position);

create table opening (
    id uuid constraint opening_pkey primary key,
    practitioner_id uuid not null constraint opening_practitioner references practitioner (id),
    site_id uuid not null constraint opening_site references site (id),
    reason_ids uuid[],
    weekday smallint not null constraint opening_weekday_range check (weekday between 1 and 7),
    starts_minute smallint not null,
    ends_minute smallint not null,
    valid_from date,
    valid_until date,
    constraint opening_minutes_range check (0 <= starts_minute and starts_minute < ends_minute and ends_minute <= 1440)
);
create index opening_practitioner on opening (practitioner_id, weekday);

create table opening_exception (
    id uuid constraint opening_exception_pkey primary key,
    practitioner_id uuid not null constraint opening_exception_practitioner references practitioner (id),
    -- Null: every site.
    site_id uuid constraint opening_exception_site references site (id),
    kind text not null constraint opening_exception_kind_known check (kind in ('closed', 'open')),
    reason_ids uuid[],
    -- Wall-clock time of the site, not instants: a leave "until the 15th" moves with the zone.
    starts timestamp not null,
    ends timestamp not null,
    constraint opening_exception_order check (starts < ends)
);
create index opening_exception_practitioner on opening_exception (practitioner_id, ends);

create function bump_agenda_version() returns trigger language plpgsql as $$
begin
    update practitioner set agenda_version = agenda_version + 1
    where id in (select distinct practitioner_id from changed);
    return null;
end $$;

create function watch_agenda(tables text[]) returns void language plpgsql as $$
declare
    watched text;
begin
    foreach watched in array tables loop
        execute format('create trigger %1$s_insert_bumps_agenda after insert on %1$s
            referencing new table as changed for each statement execute function bump_agenda_version()', watched);
        execute format('create trigger %1$s_update_bumps_agenda after update on %1$s
            referencing new table as changed for each statement execute function bump_agenda_version()', watched);
        execute format('create trigger %1$s_delete_bumps_agenda after delete on %1$s
            referencing old table as changed for each statement execute function bump_agenda_version()', watched);
    end loop;
end $$;
select watch_agenda('{reason,opening,opening_exception}');
drop function watch_agenda(text[]);

-- ------------------------------------------------------------------------------------------------ accounts and patients

create table account (
    id uuid constraint account_pkey primary key,
    -- As typed, for writing to; `email_key` is what is compared.
    email text not null,
    email_key text not null generated always as (lower(email)) stored,
    password_hash text not null,
    phone text,
    language text not null default 'fr' constraint account_language_known check (language in ('fr', 'en')),
    created_at timestamptz not null,
    constraint account_email_key unique (email_key)
);

create table patient (
    id uuid constraint patient_pkey primary key constraint patient_is_resource references resource (id),
    given_name text not null,
    family_name text not null,
    birth_date date not null,
    -- The patient's own AES-256 key, wrapped by the master key. Erasing it erases what it sealed.
    wrapped_key text not null,
    created_at timestamptz not null
);

create table guardianship (
    account_id uuid not null constraint guardianship_account references account (id),
    patient_id uuid not null constraint guardianship_patient references patient (id),
    relation text not null constraint guardianship_relation_known check (relation in ('self', 'parent', 'guardian')),
    since timestamptz not null,
    constraint guardianship_pkey primary key (account_id, patient_id)
);
create index guardianship_patient on guardianship (patient_id);
create unique index guardianship_one_self on guardianship (account_id) where relation = 'self';

-- One sign-in; its refresh tokens form a family.
create table session (
    id uuid constraint session_pkey primary key,
    account_id uuid not null constraint session_account references account (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_why text
);
create index session_account on session (account_id);

create table refresh_token (
    -- SHA-256 of the token: a copy of this table signs nobody in.
    hash text constraint refresh_token_pkey primary key,
    session_id uuid not null constraint refresh_token_session references session (id),
    issued_at timestamptz not null,
    used_at timestamptz
);
create index refresh_token_session on refresh_token (session_id);

-- -------------------------------------------------------------------------------------------------------- appointments

create table appointment (
    id uuid constraint appointment_pkey primary key,
    practitioner_id uuid not null constraint appointment_practitioner references practitioner (id),
    patient_id uuid not null constraint appointment_patient references patient (id),
    site_id uuid not null constraint appointment_site references site (id),
    reason_id uuid not null constraint appointment_reason references reason (id),
    channel text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    status text not null
        constraint appointment_status_known check (status in ('held', 'booked', 'cancelled', 'expired')),
    -- Grows with every change; a write names the version it was decided on.
    version integer not null default 1,
    booked_by uuid constraint appointment_booked_by references account (id),
    created_at timestamptz not null,
    -- When the present time was agreed: the booking or the last move.
    agreed_at timestamptz not null,
    hold_expires_at timestamptz,
    cancelled_at timestamptz,
    cancelled_late boolean,
    -- Sealed with the patient's key.
    note text,
    cancel_reason text,
    constraint appointment_order check (starts_at < ends_at),
    constraint appointment_hold_expires check ((status = 'held') <= (hold_expires_at is not null))
);
create index appointment_patient_time on appointment (patient_id, starts_at);
create index appointment_practitioner_time on appointment (practitioner_id, starts_at);
create index appointment_upcoming on appointment (starts_at) where status = 'booked';
create index appointment_held on appointment (hold_expires_at) where status = 'held';

create table reservation (
    id bigint generated always as identity constraint reservation_pkey primary key,
    appointment_id uuid not null constraint reservation_appointment references appointment (id),
    resource_id uuid not null constraint reservation_resource references resource (id),
    -- Buffers included.
    during tstzrange not null,
    active boolean not null default true,
    -- A hold's end; null when booked.
    expires_at timestamptz,
    constraint reservation_not_empty check (not isempty(during)),
    constraint reservation_no_overlap exclude using gist (resource_id with =, during with &&) where (active)
);
create index reservation_appointment on reservation (appointment_id);

-- -------------------------------------------------------------------------------------- what leaves with every write

create table idempotency (
    account_id uuid not null constraint idempotency_account references account (id),
    operation text not null,
    key text not null,
    -- Of the request: the same key with another request is a mistake of the caller.
    request_hash text not null,
    answer jsonb,
    created_at timestamptz not null,
    constraint idempotency_pkey primary key (account_id, operation, key)
);
create index idempotency_created on idempotency (created_at);

create table outbox (
    seq bigint generated always as identity constraint outbox_pkey primary key,
    id uuid not null default gen_random_uuid() constraint outbox_id_key unique,
    kind text not null,
    subject uuid not null,
    -- Ids only, never personal data.
    data jsonb not null,
    occurred_at timestamptz not null,
    fanned_out_at timestamptz
);
create index outbox_waiting on outbox (seq) where fanned_out_at is null;

-- One event for one consumer, until it is done or dead.
create table delivery (
    id bigint generated always as identity constraint delivery_pkey primary key,
    event_id uuid not null constraint delivery_event references outbox (id),
    consumer text not null,
    state text not null default 'waiting'
        constraint delivery_state_known check (state in ('waiting', 'done', 'dead')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    lease uuid,
    lease_until timestamptz,
    last_error text,
    settled_at timestamptz,
    constraint delivery_once unique (event_id, consumer)
);
create index delivery_due on delivery (next_attempt_at) where state = 'waiting';
create index delivery_dead on delivery (id) where state = 'dead';

-- A message to one person, planned from one event.
create table notice (
    id uuid not null default gen_random_uuid() constraint notice_pkey primary key,
    event_id uuid not null constraint notice_event references outbox (id),
    appointment_id uuid not null constraint notice_appointment references appointment (id),
    kind text not null constraint notice_kind_known check (kind in ('confirmation', 'change', 'cancellation', 'reminder')),
    recipient_kind text not null
        constraint notice_recipient_known check (recipient_kind in ('account', 'practitioner')),
    recipient_id uuid not null,
    channel text not null constraint notice_channel_known check (channel in ('email')),
    -- The time this notice tells of: one that was moved since is told otherwise.
    starts_at timestamptz not null,
    state text not null default 'planned'
        constraint notice_state_known check (state in ('planned', 'sent', 'skipped', 'failed')),
    why text,
    attempts integer not null default 0,
    lease uuid,
    lease_until timestamptz,
    planned_at timestamptz not null,
    settled_at timestamptz,
    constraint notice_once unique (event_id, recipient_kind, recipient_id, channel)
);
create index notice_appointment on notice (appointment_id);

-- What send-reminders has planned: once per appointment, time and step.
create table reminder (
    appointment_id uuid not null constraint reminder_appointment references appointment (id),
    starts_at timestamptz not null,
    step_minutes integer not null,
    planned_at timestamptz not null,
    constraint reminder_pkey primary key (appointment_id, starts_at, step_minutes)
);

create table audit (
    seq bigint generated always as identity constraint audit_pkey primary key,
    at timestamptz not null,
    actor_kind text not null constraint audit_actor_known check (actor_kind in ('account', 'system', 'anonymous')),
    actor_id uuid,
    action text not null constraint audit_action_known check (action in ('create', 'read', 'update', 'delete', 'execute')),
    -- What happened, in the product's words: 'appointment.book'.
    event text not null,
    object_id uuid,
    patient_id uuid,
    request_id text
);
create index audit_patient on audit (patient_id, at) where patient_id is not null;
create index audit_object on audit (object_id) where object_id is not null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the % table is append-only', tg_table_name using errcode = '42501';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function refuse_change();

create table import_run (
    id uuid constraint import_run_pkey primary key,
    source text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    lines integer not null default 0,
    created integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    rejected integer not null default 0,
    -- Lines that are for others: professions that care for nobody here.
    ignored integer not null default 0,
    warnings integer not null default 0,
    -- The first rejections, as {line, reason}.
    rejections jsonb not null default '[]'
);
