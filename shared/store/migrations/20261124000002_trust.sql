-- Who people are, for whom they act, and what is remembered of every look and every change.

-- ------------------------------------------------------------------------------------------------ establishments

-- A hospital, a health centre, a practice: whose settings, staff and appointments are apart from all others'.
create table establishment (
    id uuid constraint establishment_pkey primary key,
    name text not null,
    -- FINESS of the legal or geographic entity, where it has one.
    finess text constraint establishment_finess_key unique,
    created_at timestamptz not null
);

-- Null: a place of the public directory that nobody runs here yet. Its agenda is nobody's, so only families see its visits.
alter table site add column establishment_id uuid constraint site_establishment references establishment (id);
create index site_establishment on site (establishment_id);

-- ------------------------------------------------------------------------------------------------------ accounts

alter table account add column state text not null default 'active'
    constraint account_state_known check (state in ('active', 'suspended', 'closed'));
-- Set once the link that was mailed to the address came back.
alter table account add column email_verified_at timestamptz;
-- What the account may do on the whole platform, beside what its memberships give.
alter table account add column platform_role text
    constraint account_platform_role_known check (platform_role in ('operator', 'support'));

-- One person in one establishment in one role. Acting in it takes a session of its own choice.
create table membership (
    id uuid constraint membership_pkey primary key,
    account_id uuid not null constraint membership_account references account (id),
    establishment_id uuid not null constraint membership_establishment references establishment (id),
    role text not null constraint membership_role_known
        check (role in ('practitioner', 'nurse', 'secretary', 'pharmacist', 'administrator', 'dim')),
    -- Who the member is in the directory, for those with an agenda.
    practitioner_id uuid constraint membership_practitioner references practitioner (id),
    since timestamptz not null,
    until timestamptz,
    constraint membership_practitioner_named check (role <> 'practitioner' or practitioner_id is not null),
    constraint membership_order check (until is null or since <= until)
);
create unique index membership_once on membership (account_id, establishment_id, role) where until is null;
create index membership_establishment on membership (establishment_id);

-- For whom a member of staff acts, within the establishment of the membership.
create table attachment (
    membership_id uuid not null constraint attachment_membership references membership (id),
    practitioner_id uuid not null constraint attachment_practitioner references practitioner (id),
    since timestamptz not null,
    until timestamptz,
    constraint attachment_pkey primary key (membership_id, practitioner_id)
);
create index attachment_practitioner on attachment (practitioner_id);

-- A session acts in one role: as a patient and guardian, in one membership, or for the platform.
alter table session add column role text not null default 'patient' constraint session_role_known
    check (role in ('patient', 'practitioner', 'nurse', 'secretary', 'pharmacist', 'administrator', 'dim', 'operator', 'support'));
alter table session add column membership_id uuid constraint session_membership references membership (id);
-- How sure we are of who it is: 1 one factor, 2 two factors (eIDAS: low and substantial).
alter table session add column level smallint not null default 1 constraint session_level_range check (level between 1 and 2);
-- How it was opened: 'password', 'password+totp', 'password+recovery', 'passkey', 'psc', 'franceconnect'.
alter table session add column method text not null default 'password';
alter table session add column last_seen_at timestamptz;
-- What the device says of itself, in few words, for the list of sessions.
alter table session add column device text not null default '';
alter table session add constraint session_membership_of_role
    check ((membership_id is null) = (role in ('patient', 'operator', 'support')));

-- --------------------------------------------------------------------------------------------------- guardianship

-- What a guardian may do for the patient. What each right opens is in the policy.
alter table guardianship add column rights text[] not null default '{book,documents,messages,notices}'
    constraint guardianship_rights_known check (rights <@ '{book,documents,messages,notices}'::text[]);
-- Declared by the account itself, shown by a document, or found untrue.
alter table guardianship add column state text not null default 'declared'
    constraint guardianship_state_known check (state in ('declared', 'proven', 'refused'));
-- The end that is known from the start: the child comes of age.
alter table guardianship add column until timestamptz;

-- Salts what the audit trail says of changes; erased with the patient's key.
alter table patient add column salt uuid not null default gen_random_uuid();

-- A patient wants this professional to see nothing, whatever else would allow it.
create table block (
    patient_id uuid not null constraint block_patient references patient (id),
    practitioner_id uuid not null constraint block_practitioner references practitioner (id),
    since timestamptz not null,
    until timestamptz,
    constraint block_pkey primary key (patient_id, practitioner_id)
);

-- A professional looked without a care relation, in an emergency, and said why.
create table emergency_access (
    id uuid constraint emergency_access_pkey primary key,
    account_id uuid not null constraint emergency_access_account references account (id),
    patient_id uuid not null constraint emergency_access_patient references patient (id),
    establishment_id uuid not null constraint emergency_access_establishment references establishment (id),
    -- Sealed with the patient's key.
    reason text not null,
    since timestamptz not null,
    until timestamptz not null,
    constraint emergency_access_order check (since < until)
);
create index emergency_access_patient on emergency_access (patient_id, account_id);

-- --------------------------------------------------------------------------------------------------------- policy

-- The policy of `domain::access`, written here by every migration so that statements can ask it.
create table policy (
    role text not null,
    resource text not null,
    action text not null,
    relation text not null,
    constraint policy_pkey primary key (role, resource, action, relation)
);

-- ---------------------------------------------------------------------------------------------------------- audit

-- Fields of ISO 27789 and FHIR AuditEvent: who, in which role, for whom, how surely known, what, whose, from where, why,
-- with what outcome. Never what was read or written: of a change the names of the fields and keyed hashes only.
alter table audit add column session_id uuid;
alter table audit add column role text;
alter table audit add column establishment_id uuid;
alter table audit add column level smallint;
alter table audit add column address text;
-- Purpose of use (HL7 v3 PurposeOfUse): TREAT care, PATRQT the patient's own request, HOPERAT administration,
-- ETREAT emergency, HSYSADMIN operation of the system.
alter table audit add column purpose text;
alter table audit add column outcome text not null default 'success'
    constraint audit_outcome_known check (outcome in ('success', 'refused', 'failed'));
alter table audit add column changes jsonb;
-- Ids of transactions only grow, and those below the oldest one under way have ended: what a seal covers is complete.
alter table audit add column transaction_id xid8 not null default pg_current_xact_id();
create index audit_transaction on audit (transaction_id, seq);
-- Looked for by patient and by time, never by object.
drop index audit_object;

-- What a statement writes into: one row of `entry(…)` each. Sequence and transaction are the table's own affair.
create view trace as
    select at, actor_kind, actor_id, session_id, role, establishment_id, level, address, request_id, purpose,
           action, event, object_id, patient_id, outcome, changes
    from audit;

-- Their first argument is now all of the actor, and the policy is asked inside.
drop function if exists book(uuid, jsonb, timestamptz);
drop function if exists move_appointment(uuid, jsonb, timestamptz);
drop function if exists add_patient(uuid, jsonb, timestamptz);
drop function if exists release_holds(uuid[], uuid, timestamptz, text);
drop function if exists require_guardianship(uuid, uuid);
