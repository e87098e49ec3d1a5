-- Addresses at which a calendar program reads somebody's visits without signing in: times and a neutral title, nothing else.

create table calendar_feed (
    id uuid constraint calendar_feed_pkey primary key,
    account_id uuid not null constraint calendar_feed_account references account (id),
    -- In what capacity it is read; null: as a patient, and for those the account acts for.
    membership_id uuid constraint calendar_feed_membership references membership (id),
    -- Of one patient; null: of all whose visits the account may see when it is read.
    patient_id uuid constraint calendar_feed_patient references patient (id) on delete cascade,
    capacity_id uuid not null generated always as (coalesce(membership_id, account_id)) stored,
    -- At most ten live ones of a capacity: one a place, however many are asked for at once.
    place smallint not null constraint calendar_feed_place_range check (place between 1 and 10),
    -- SHA-256 of the token: a copy of this table reads no calendar.
    hash text not null constraint calendar_feed_hash_key unique,
    -- What its owner calls it, sealed with the account's key.
    label text,
    -- By how many factors its maker was known: it is worth no more than that session.
    level smallint not null constraint calendar_feed_level_range check (level between 1 and 2),
    created_at timestamptz not null,
    -- The day (UTC) alone: when exactly a telephone asked is nobody's affair.
    last_read_on date,
    revoked_at timestamptz,
    constraint calendar_feed_patient_of_family check (membership_id is null or patient_id is null),
    constraint calendar_feed_revoked_is_unnamed check (revoked_at is null or label is null)
);
create unique index calendar_feed_one_a_place on calendar_feed (capacity_id, place) where revoked_at is null;
create index calendar_feed_account on calendar_feed (account_id);
create index calendar_feed_patient on calendar_feed (patient_id) where patient_id is not null;
create index calendar_feed_revoked on calendar_feed (revoked_at) where revoked_at is not null;
