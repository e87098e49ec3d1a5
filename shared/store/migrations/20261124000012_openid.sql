-- Signing in with an identity provider: attempts under way, and which identity is whose account.

-- An attempt, from the provider's address being given out to its answer. State, nonce and PKCE verifier come from the ticket
-- by HMAC: a copy of this table signs nobody in.
create table openid_attempt (
    -- SHA-256 of the ticket.
    ticket text constraint openid_attempt_pkey primary key,
    provider text not null,
    -- Who wants the identity linked to their account; null: whoever comes signs in.
    account_id uuid constraint openid_attempt_account references account (id),
    session_id uuid constraint openid_attempt_session references session (id),
    tries smallint not null default 0 constraint openid_attempt_tries_range check (tries between 0 and 3),
    started_at timestamptz not null,
    expires_at timestamptz not null,
    constraint openid_attempt_order check (started_at < expires_at),
    constraint openid_attempt_of_session check ((account_id is null) = (session_id is null))
);
create index openid_attempt_expires_at on openid_attempt (expires_at);

-- An identity of a provider, and whose account it opens.
create table external_identity (
    provider text not null,
    -- As the provider names the person to us, and to nobody else where it is pairwise.
    subject text not null constraint external_identity_subject_length check (length(subject) between 1 and 255),
    account_id uuid not null constraint external_identity_account references account (id),
    -- Who that is in the directory, by RPPS, as of the last sign-in.
    practitioner_id uuid constraint external_identity_practitioner references practitioner (id),
    linked_at timestamptz not null,
    used_at timestamptz not null,
    constraint external_identity_pkey primary key (provider, subject),
    constraint external_identity_one_each unique (account_id, provider)
);

-- With which provider a session was opened.
alter table session add column provider text;
