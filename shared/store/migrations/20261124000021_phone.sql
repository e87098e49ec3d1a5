-- A telephone that is shown to be the holder's, by a code that is sent to it.

-- The number that was given or removed after the account was opened, sealed as `account.phone`. Null: the one in `contact`.
-- Apart from the contact, since a change of address that is under way holds a contact of before.
alter table account add column telephone text;
alter table account add constraint account_closed_has_no_telephone check (state <> 'closed' or telephone is null);

-- A code that was asked for. The code itself is worked out from the row and is nowhere.
create table phone_code (
    id uuid constraint phone_code_pkey primary key,
    account_id uuid not null constraint phone_code_account references account (id),
    -- The number it is sent to. Where the account has another one by now, the code proves nothing.
    phone_lookup text not null,
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    -- Wrong ones that were typed.
    tries integer not null default 0 constraint phone_code_tries check (tries between 0 and 5),
    used_at timestamptz,
    state text not null default 'planned'
        constraint phone_code_state_known check (state in ('planned', 'sent', 'skipped', 'failed')),
    why text,
    attempts integer not null default 0,
    lease uuid,
    lease_until timestamptz,
    settled_at timestamptz,
    constraint phone_code_order check (asked_at < expires_at),
    constraint phone_code_settled check ((state = 'planned') = (settled_at is null))
);
-- The newest of an account is the one that is good.
create index phone_code_newest on phone_code (account_id, asked_at, id);
create index phone_code_expires on phone_code (expires_at);

-- How many codes were asked for in a day (UTC), of an account and to a number: a counter, so that many at once count.
create table phone_code_allowance (
    -- A hash of the account or of the number's lookup, and the day: it finds nobody.
    whose text not null,
    day date not null,
    codes integer not null,
    constraint phone_code_allowance_pkey primary key (whose, day)
);
