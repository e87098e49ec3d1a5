-- Calendars kept by Microsoft Exchange, beside our agendas.

-- How an establishment's mailboxes are reached: a tenant of Exchange Online, or a server of its own.
create table exchange_server (
    id uuid constraint exchange_server_pkey primary key,
    establishment_id uuid not null constraint exchange_server_establishment references establishment (id),
    kind text not null constraint exchange_server_kind_known check (kind in ('graph', 'ews')),
    name text not null,
    -- Addresses and credentials, sealed with the row's own key.
    wrapped_key text not null,
    settings text not null,
    created_by uuid not null constraint exchange_server_created_by references account (id),
    created_at timestamptz not null
);
create index exchange_server_establishment on exchange_server (establishment_id);

-- One calendar of one practitioner.
create table exchange_mailbox (
    id uuid constraint exchange_mailbox_pkey primary key,
    server_id uuid not null constraint exchange_mailbox_server references exchange_server (id),
    establishment_id uuid not null constraint exchange_mailbox_establishment references establishment (id),
    practitioner_id uuid not null constraint exchange_mailbox_practitioner references practitioner (id),
    -- Sealed with the server's key; and what finds the others at the same address.
    address text not null,
    address_lookup text not null,
    state text not null constraint exchange_mailbox_state_known check (state in ('active', 'paused', 'leaving', 'left')),
    tentative_blocks boolean not null default true,
    -- When a calendar does not answer at the moment of booking.
    when_silent text not null default 'accept'
        constraint exchange_mailbox_when_silent_known check (when_silent in ('accept', 'warn', 'refuse')),
    -- Where the reading of one window ended.
    cursor text,
    window_from timestamptz,
    -- Whether everything is to be read again, whatever the cursor says.
    resync boolean not null default false,
    -- To be read no later than, and to be written no later than; null: nothing to write.
    read_at timestamptz not null,
    write_at timestamptz,
    -- Grows with each wish to write, so that one that comes while another is under way is not lost.
    wishes bigint not null default 0,
    lease uuid,
    lease_until timestamptz,
    -- How it went.
    read_last_at timestamptz,
    failing_since timestamptz,
    failures integer not null default 0,
    fault text,
    fault_code text,
    -- What refused is left alone, whoever wishes otherwise.
    rests_until timestamptz,
    report jsonb,
    -- Visits that were booked without its answer since it was last read, where those are counted.
    unasked integer not null default 0,
    -- By what it is told of changes.
    watch text,
    watch_until timestamptz,
    watch_secret text,
    created_by uuid not null constraint exchange_mailbox_created_by references account (id),
    created_at timestamptz not null,
    constraint exchange_mailbox_lease check ((lease is null) = (lease_until is null))
);
-- One calendar for one agenda of one establishment.
create unique index exchange_mailbox_once on exchange_mailbox (practitioner_id, establishment_id) where state <> 'left';
create index exchange_mailbox_establishment on exchange_mailbox (establishment_id);
create index exchange_mailbox_read on exchange_mailbox (read_at) where state in ('active', 'leaving');
create index exchange_mailbox_write on exchange_mailbox (write_at) where state in ('active', 'leaving') and write_at is not null;
create index exchange_mailbox_address on exchange_mailbox (address_lookup);
create index exchange_mailbox_watch on exchange_mailbox (watch) where watch is not null;

-- An appointment and its item: see `domain::sync::Link`.
create table exchange_link (
    mailbox_id uuid not null constraint exchange_link_mailbox references exchange_mailbox (id),
    appointment_id uuid not null constraint exchange_link_appointment references appointment (id),
    generation integer not null,
    remote_id text,
    version text,
    agreed jsonb,
    state jsonb not null,
    -- Since when the staff are asked.
    asked_since timestamptz,
    -- What they said: that ours stands.
    answer text constraint exchange_link_answer_known check (answer in ('keep')),
    overwrites integer not null default 0,
    -- What its item was refused for, and until when it rests.
    failures integer not null default 0,
    fault text,
    rests_until timestamptz,
    constraint exchange_link_pkey primary key (mailbox_id, appointment_id),
    constraint exchange_link_remote unique (mailbox_id, remote_id)
);
create index exchange_link_appointment on exchange_link (appointment_id);
create index exchange_link_asked on exchange_link (mailbox_id, asked_since) where asked_since is not null;

-- A time that is taken by something in a calendar. What it is, is not known here.
create table exchange_block (
    id bigint generated always as identity constraint exchange_block_pkey primary key,
    mailbox_id uuid not null constraint exchange_block_mailbox references exchange_mailbox (id),
    remote_id text not null,
    series_id text,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    -- Whether a visit stands in its way, beside which the rest of it is reserved.
    clash boolean not null default false,
    constraint exchange_block_remote unique (mailbox_id, remote_id),
    constraint exchange_block_order check (starts_at < ends_at)
);
create index exchange_block_time on exchange_block (mailbox_id, starts_at);

-- What holds a time of a practitioner is a visit, or a block.
alter table reservation alter column appointment_id drop not null;
alter table reservation add column block_id bigint constraint reservation_block references exchange_block (id) on delete cascade;
alter table reservation add constraint reservation_for_one check (num_nonnulls(appointment_id, block_id) = 1) not valid;
alter table reservation validate constraint reservation_for_one;
create index reservation_block on reservation (block_id) where block_id is not null;
