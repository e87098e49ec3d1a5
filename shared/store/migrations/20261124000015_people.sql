-- People: who acts for a child and how that is shown, who works where, who is a professional, and what a minor keeps secret.

-- ------------------------------------------------------------------------------------------------------ guardians

-- The first instant, in metropolitan France, of the day on which somebody reaches an age. Who is born on 29 February
-- reaches it on 1 March in other years (`domain::age::birthday` says the same, and a test compares the two).
create function birthday(born date, years integer) returns timestamptz language sql immutable strict parallel safe as $$
    select (case when extract(month from born + make_interval(years => years)) = 2
                      and extract(day from born) = 29 and extract(day from born + make_interval(years => years)) = 28
                 then (born + make_interval(years => years))::date + 1
                 else (born + make_interval(years => years))::date end)::timestamp at time zone 'Europe/Paris'
$$;

-- How others name it; the account behind it stays unsaid.
alter table guardianship add column id uuid not null default gen_random_uuid();
alter table guardianship add constraint guardianship_id_key unique (id);
-- Who brought this guardian in; null for the one who declared the child.
alter table guardianship add column invited_by uuid
    constraint guardianship_invited_by references account (id);
-- From then on messages are the young person's own, if they have an account.
alter table guardianship add column messages_until timestamptz;
-- A judge extended it beyond the coming of age (C. civ. art. 425, 494-1).
alter table guardianship add column court_ordered boolean not null default false;
-- What shows it: the kind of document, and the document once such are kept.
alter table guardianship add column proof text constraint guardianship_proof_known
    check (proof in ('livret_de_famille', 'birth_certificate', 'judgment', 'adoption', 'delegation'));
alter table guardianship add column proof_reference uuid;
alter table guardianship add column proof_given_at timestamptz;
alter table guardianship add column decided_by uuid constraint guardianship_decided_by references account (id);
alter table guardianship add column decided_at timestamptz;
alter table guardianship add constraint guardianship_proven_by_proof check (state <> 'proven' or proof is not null);
alter table guardianship add constraint guardianship_court_by_judgment
    check (not court_ordered or coalesce(proof = 'judgment', false));

-- Grows with every change of who the guardians are, so that a change decided on older ones is refused.
alter table patient add column guardians_version bigint not null default 1;

-- When a patient reaches the ages that change something: the birth date itself is sealed. Null where nobody knows.
alter table patient add column private_from timestamptz;
alter table patient add column adult_from timestamptz;
update patient set private_from = birthday(birth_date, 16), adult_from = birthday(birth_date, 18);

-- The steps of age stand in the row from its beginning: no job has to come by at midnight.
create function set_steps_of_age() returns trigger language plpgsql as $$
begin
    if new.relation <> 'self' then
        select case when new.court_ordered then new.until else least(new.until, adult_from) end, private_from
        into new.until, new.messages_until
        from patient where id = new.patient_id;
    end if;
    return new;
end $$;
create trigger guardianship_steps_of_age before insert or update of until, court_ordered, patient_id, relation on guardianship
    for each row execute function set_steps_of_age();
update guardianship set until = until where relation <> 'self';

-- A place offered to another person, known by a code that the inviter passes on.
create table invitation (
    id uuid constraint invitation_pkey primary key,
    -- Keyed hash of the code: a copy of this table lets nobody in.
    code_hash text not null constraint invitation_code_key unique,
    invited_by uuid not null constraint invitation_invited_by references account (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid constraint invitation_accepted_by references account (id),
    -- To act for a patient …
    patient_id uuid constraint invitation_patient references patient (id),
    relation text constraint invitation_relation_known check (relation in ('self', 'parent', 'guardian')),
    rights text[],
    -- … or to work in an establishment.
    establishment_id uuid constraint invitation_establishment references establishment (id),
    role text,
    name text not null default '',
    constraint invitation_to_one_thing check (
        (patient_id is not null and relation is not null and rights is not null and establishment_id is null and role is null)
        or (patient_id is null and relation is null and rights is null and establishment_id is not null and role is not null))
);
create index invitation_patient on invitation (patient_id) where accepted_at is null;

-- Wrong codes of an account on a day. The check is the limit: two tries at once cannot both be the last.
create table invitation_miss (
    account_id uuid not null constraint invitation_miss_account references account (id),
    day date not null,
    misses integer not null constraint invitation_miss_limit check (misses <= 10),
    constraint invitation_miss_pkey primary key (account_id, day)
);

-- ------------------------------------------------------------------------------------------ members, professionals

-- As colleagues know the member; a practitioner is named by the directory.
alter table membership add column name text not null default '';

-- An account's claim to be somebody of the directory.
create table professional (
    id uuid constraint professional_pkey primary key,
    account_id uuid not null constraint professional_account references account (id),
    practitioner_id uuid not null constraint professional_practitioner references practitioner (id),
    profession text not null constraint professional_profession references specialty (code),
    state text not null constraint professional_state_known check (state in ('pending', 'validated', 'refused', 'suspended')),
    applied_at timestamptz not null,
    decided_at timestamptz,
    decided_by uuid constraint professional_decided_by references account (id),
    -- The operator's words.
    reason text not null default ''
);
create unique index professional_once on professional (account_id, practitioner_id) where state <> 'refused';
-- Of several claims to be the same person one at most is true.
create unique index professional_one_holder on professional (practitioner_id) where state in ('validated', 'suspended');
create index professional_state on professional (state, applied_at);

-- Who is suspended has no agenda online; whether it was there before is kept for the day they come back.
alter table practitioner add column suspended_at timestamptz;
alter table practitioner add column online_before boolean;

-- --------------------------------------------------------------------------------------------------- a minor's secrecy

-- The minor wants it kept from those who hold parental authority (CSP art. L.1111-5).
alter table appointment add column secret_since timestamptz;
alter table appointment add column secret_by uuid constraint appointment_secret_by references account (id);

create index block_practitioner on block (practitioner_id);
