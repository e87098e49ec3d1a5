-- What somebody has or is beside the password they know, and how often they may be wrong.

-- An authenticator app (TOTP) or a passkey.
create table second_factor (
    id uuid constraint second_factor_pkey primary key,
    account_id uuid not null constraint second_factor_account references account (id),
    kind text not null constraint second_factor_kind_known check (kind in ('totp', 'passkey')),
    -- {label, secret}, or {label, passkey}: sealed with the account's key.
    secret text not null,
    -- Keyed hash of the passkey's identifier.
    credential_lookup text constraint second_factor_credential_key unique,
    -- The last time step a code was used of, or the passkey's signature counter: it only grows, so nothing is good twice.
    counter bigint not null default 0 constraint second_factor_counter_range check (counter >= 0),
    created_at timestamptz not null,
    -- Null: an authenticator app that has not yet shown its first code. It counts for nothing.
    confirmed_at timestamptz,
    last_used_at timestamptz,
    constraint second_factor_found check ((kind = 'passkey') = (credential_lookup is not null))
);
create index second_factor_account on second_factor (account_id);
create unique index second_factor_one_app on second_factor (account_id) where kind = 'totp' and confirmed_at is not null;
create unique index second_factor_one_waiting on second_factor (account_id) where confirmed_at is null;

-- For who has lost everything else.
create table recovery_code (
    account_id uuid not null constraint recovery_code_account references account (id),
    -- Keyed: a copy of this table signs nobody in.
    hash text not null,
    created_at timestamptz not null,
    used_at timestamptz,
    constraint recovery_code_pkey primary key (account_id, hash)
);

-- A challenge that a passkey is to sign: taken once, within minutes.
create table passkey_ceremony (
    id uuid constraint passkey_ceremony_pkey primary key,
    kind text not null constraint passkey_ceremony_kind_known check (kind in ('registration', 'sign-in')),
    -- Who registers; nobody is known yet who signs in.
    account_id uuid constraint passkey_ceremony_account references account (id),
    -- Sealed.
    state text not null,
    expires_at timestamptz not null,
    constraint passkey_ceremony_known_by_kind check ((kind = 'registration') = (account_id is not null))
);
create index passkey_ceremony_expires on passkey_ceremony (expires_at);

-- From where somebody has signed in: a stranger's failures do not count there.
create table known_address (
    account_id uuid not null constraint known_address_account references account (id),
    -- Keyed hash.
    address text not null,
    last_at timestamptz not null,
    constraint known_address_pkey primary key (account_id, address)
);
create index known_address_last on known_address (last_at);

-- Attempts at one thing in one window: those that failed, and those under way, which may fail yet.
create table sign_in_attempt (
    -- Keyed hash of whose and from where.
    key text constraint sign_in_attempt_pkey primary key,
    failures integer not null constraint sign_in_attempt_failures check (failures >= 0),
    pending integer not null constraint sign_in_attempt_pending check (pending >= 0),
    window_ends timestamptz not null,
    -- What was under way at that time was lost with its process.
    pending_until timestamptz not null
);
create index sign_in_attempt_ends on sign_in_attempt (window_ends);
