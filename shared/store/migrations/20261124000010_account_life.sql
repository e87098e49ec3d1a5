-- The life of an account after it was opened: links by mail, another address, letters about all of it, and its end.

-- Nobody asks a telephone yet whether it is the holder's: there is no way to send a code. Its state is kept beside it.
alter table account add column phone_verified_at timestamptz;
alter table account add column closed_at timestamptz;
-- What is closed holds nothing that tells who it was.
alter table account add constraint account_closed_is_empty
    check (state <> 'closed' or (wrapped_key is null and contact is null and email_lookup is null and email is null and phone is null));

-- Another address for an account. It takes effect once the new one is confirmed and the old one is, or has said nothing
-- until `ripe_at`.
create table email_change (
    id uuid constraint email_change_pkey primary key,
    account_id uuid not null constraint email_change_account references account (id),
    -- The contact that the account will have and the one it had, sealed as `account.contact`; erased after a while.
    contact text,
    former text,
    email_lookup text,
    asked_at timestamptz not null,
    ripe_at timestamptz not null,
    expires_at timestamptz not null,
    new_confirmed_at timestamptz,
    old_confirmed_at timestamptz,
    state text not null default 'asked' constraint email_change_state_known check (state in ('asked', 'done', 'cancelled')),
    settled_at timestamptz,
    constraint email_change_order check (asked_at <= ripe_at and ripe_at < expires_at),
    constraint email_change_settled check ((state = 'asked') = (settled_at is null))
);
create unique index email_change_one_asked on email_change (account_id) where state = 'asked';
create index email_change_account on email_change (account_id);
create index email_change_settled_at on email_change (settled_at) where contact is not null;

-- What a mailed token names. The token itself is worked out from the row and is nowhere.
create table account_link (
    id uuid constraint account_link_pkey primary key,
    purpose text not null constraint account_link_purpose_known
        check (purpose in ('verify-email', 'reset-password', 'change-email', 'leave-email')),
    -- Of a new password, null until the mail is written: whose address it is, is not looked up while somebody waits.
    account_id uuid constraint account_link_account references account (id),
    email_change_id uuid constraint account_link_email_change references email_change (id),
    -- The address it is sent to. Where the account has another one by now, the link proves nothing.
    email_lookup text not null,
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint account_link_whose check (account_id is not null or purpose = 'reset-password'),
    constraint account_link_change_named check ((email_change_id is not null) = (purpose in ('change-email', 'leave-email')))
);
create index account_link_account on account_link (account_id);
create index account_link_expires on account_link (expires_at);

-- A mail about an account, planned from one event: what `notice` is for appointments.
create table letter (
    id uuid not null default gen_random_uuid() constraint letter_pkey primary key,
    event_id uuid not null constraint letter_event references outbox (id),
    account_id uuid not null constraint letter_account references account (id),
    kind text not null constraint letter_kind_known check (kind in
        ('verify-email', 'reset-password', 'change-email', 'leave-email', 'claimed', 'secured', 'emergency')),
    -- Of 'secured': what was done.
    what text,
    -- Which of the account's addresses it goes to; 'new' and 'former' are those of a change.
    addressee text not null constraint letter_addressee_known check (addressee in ('present', 'new', 'former')),
    link_id uuid constraint letter_link references account_link (id) on delete set null,
    email_change_id uuid constraint letter_email_change references email_change (id),
    state text not null default 'planned' constraint letter_state_known check (state in ('planned', 'sent', 'skipped', 'failed')),
    why text,
    attempts integer not null default 0,
    lease uuid,
    lease_until timestamptz,
    planned_at timestamptz not null,
    settled_at timestamptz,
    constraint letter_once unique (event_id, account_id, kind, addressee),
    constraint letter_what_of_secured check ((what is not null) = (kind = 'secured'))
);
create index letter_account on letter (account_id);
create index letter_link on letter (link_id) where link_id is not null;

-- How many letters with a link went to an address in a day (UTC), by kind: a counter, so that many asked for at once count.
create table letter_allowance (
    -- A hash of the address's lookup and the day: it finds nobody.
    address text not null,
    kind text not null,
    day date not null,
    letters integer not null,
    constraint letter_allowance_pkey primary key (address, kind, day)
);
