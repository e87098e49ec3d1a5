-- Documents: what they are, whose, who may see them, and where their bytes lie. Bytes and titles are sealed with the
-- patient's key; what stands here in clear tells types, days and sizes, and no word of any document.

-- Who follows the patient over time (CSS art. L. 162-5-3), who sees also what is masked (CSP art. R. 1111-43).
alter table patient add column attending_practitioner_id uuid
    constraint patient_attending_practitioner references practitioner (id);
-- Something is contested in court: nothing of the record is removed meanwhile (CSP art. R. 1112-7).
alter table patient add column legal_hold boolean not null default false;

create table document (
    id uuid constraint document_pkey primary key,
    patient_id uuid not null constraint document_patient references patient (id),
    -- JDV_J07, a code of `domain::document::TYPES`.
    type_code text not null,
    -- Whether that type says nothing of health, as the code had it when it was deposited.
    administrative boolean not null,
    -- Sealed with the patient's key.
    title text not null,
    -- Of the act it tells of.
    act_date date not null,
    language text not null constraint document_language_form check (language ~ '^[a-z]{2,3}$'),
    -- Who deposited it, in what capacity, for which practitioner, where.
    author_id uuid not null constraint document_author references account (id),
    author_role text not null,
    practitioner_id uuid constraint document_practitioner references practitioner (id),
    establishment_id uuid constraint document_establishment references establishment (id),
    site_id uuid constraint document_site references site (id),
    appointment_id uuid constraint document_appointment references appointment (id),
    created_at timestamptz not null,
    -- INVISIBLE_PATIENT, until the author has announced it.
    hidden_from_patient_since timestamptz,
    -- INVISIBLE_REPRESENTANTS_LEGAUX: kept from those who act for a minor (CSP art. L. 1111-5).
    hidden_from_representatives_since timestamptz,
    hidden_from_representatives_by uuid,
    -- MASQUE_PS, by the patient's side: kept from professionals but its author and the attending physician.
    hidden_from_professionals_since timestamptz,
    hidden_from_professionals_by uuid,
    -- Grows with every change of this row; a write names the one it was decided on.
    revision integer not null default 1,
    -- Which version is shown; null before the first was found to be sound.
    current_version integer,
    withdrawn_at timestamptz,
    purged_at timestamptz
);
create index document_of_patient on document (patient_id, act_date desc, id desc);
create index document_appointment on document (appointment_id) where appointment_id is not null;
create index document_author on document (author_id);

-- Nothing is overwritten: what is changed about the bytes is another version.
create table document_version (
    document_id uuid not null constraint document_version_document references document (id),
    number integer not null constraint document_version_number_range check (number >= 1),
    state text not null constraint document_version_state_known
        check (state in ('awaiting_upload', 'checking', 'quarantined', 'refused', 'available', 'purged')),
    -- Why it was refused, a code.
    refusal text,
    -- What is let pass and told: codes.
    findings text[] not null default '{}',
    media_type text not null,
    size_bytes bigint not null constraint document_version_size_range check (size_bytes between 1 and 209715200),
    -- Keyed hash of the SHA-256 of the bytes: what was announced is what came.
    content_hash text not null,
    -- Sealed with the patient's key: what is needed to sign the upload again. Null once the bytes are judged.
    upload text,
    -- What the store calls an upload in parts.
    upload_name text,
    author_id uuid not null constraint document_version_author references account (id),
    created_at timestamptz not null,
    completed_at timestamptz,
    settled_at timestamptz,
    pages integer,
    -- What the scanner said of itself: engine, day of its signatures.
    scanner text,
    signatures_at timestamptz,
    lease uuid,
    lease_until timestamptz,
    attempts integer not null default 0,
    constraint document_version_pkey primary key (document_id, number),
    constraint document_version_refused check ((state = 'refused') = (refusal is not null))
);
create index document_version_waiting on document_version (state, created_at)
    where state in ('awaiting_upload', 'checking', 'quarantined');

-- Where bytes lie. Written before they are: what is in the store and not here is nobody's.
create table document_object (
    -- Random; it tells nothing.
    key text constraint document_object_pkey primary key,
    document_id uuid not null,
    version integer not null,
    -- `staging`: as it came, in clear, until it is judged. All others are sealed.
    part text not null constraint document_object_part_known
        check (part in ('staging', 'content', 'original', 'preview', 'text')),
    state text not null constraint document_object_state_known check (state in ('planned', 'written', 'deleted')),
    -- The key of these bytes, sealed with the patient's key.
    wrapped_key text,
    media_type text,
    clear_bytes bigint,
    planned_at timestamptz not null,
    deleted_at timestamptz,
    constraint document_object_version foreign key (document_id, version)
        references document_version (document_id, number),
    constraint document_object_sealed check (part = 'staging' or (wrapped_key is not null and clear_bytes is not null))
);
-- One of each part is in force: those of an attempt that was cut are `deleted` when the next one plans its own.
create unique index document_object_once on document_object (document_id, version, part) where state <> 'deleted';
create index document_object_planned on document_object (planned_at) where state = 'planned';
create index document_object_to_remove on document_object (planned_at) where state = 'deleted' and deleted_at is null;

-- A look at the bytes, for two minutes, by one session.
create table document_link (
    id uuid constraint document_link_pkey primary key,
    document_id uuid not null,
    version integer not null,
    part text not null,
    account_id uuid not null,
    session_id uuid not null constraint document_link_session references session (id) on delete cascade,
    expires_at timestamptz not null,
    -- The first use leaves a trace; a viewer that asks for ranges of the same bytes leaves no heap of them.
    used_at timestamptz,
    constraint document_link_version foreign key (document_id, version)
        references document_version (document_id, number)
);
create index document_link_expires on document_link (expires_at);
create index document_link_session on document_link (session_id);

-- A notice may be of a document.
alter table notice alter column appointment_id drop not null;
alter table notice alter column starts_at drop not null;
alter table notice add column document_id uuid constraint notice_document references document (id);
alter table notice drop constraint notice_kind_known;
alter table notice add constraint notice_kind_known
    check (kind in ('confirmation', 'change', 'cancellation', 'reminder', 'document'));
alter table notice add constraint notice_of_something check (
    (kind = 'document') = (document_id is not null) and (kind = 'document') = (appointment_id is null)
    and (kind = 'document') = (starts_at is null));
create index notice_document on notice (document_id) where document_id is not null;
