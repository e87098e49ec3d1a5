-- Webhooks: addresses of partners' programs that an establishment's events are sent to, and each event on its way there. They
-- hold ids and no word of anybody.

create table webhook (
    id uuid constraint webhook_pkey primary key,
    establishment_id uuid not null constraint webhook_establishment references establishment (id),
    url text not null,
    description text not null,
    events text[] not null constraint webhook_events_some check (cardinality(events) > 0),
    state text not null constraint webhook_state_known check (state in ('unverified', 'active', 'paused')),
    paused_why text constraint webhook_paused_why_known check (paused_why in ('administrator', 'failing', 'gone')),
    paused_at timestamptz,
    -- What signs, sealed with the row's own key; beside it the one before, for a day.
    wrapped_key text not null,
    secret text not null,
    former_secret text,
    former_until timestamptz,
    created_by uuid not null constraint webhook_created_by references account (id),
    created_at timestamptz not null,
    -- When its owner first answered: what happened before is not sent there.
    since timestamptz,
    verified_at timestamptz,
    -- Since when it has taken nothing, how many tries failed since, and until when it is left in peace.
    failing_since timestamptz,
    failures integer not null default 0,
    resting_until timestamptz,
    constraint webhook_paused check ((state = 'paused') = (paused_why is not null)),
    constraint webhook_former check ((former_secret is null) = (former_until is null))
);
create index webhook_establishment on webhook (establishment_id);

-- One event for one webhook.
create table webhook_delivery (
    -- What the receiver knows it by, at each try and replay.
    id uuid constraint webhook_delivery_pkey primary key,
    webhook_id uuid not null constraint webhook_delivery_webhook references webhook (id) on delete cascade,
    event_id uuid not null,
    kind text not null,
    -- What it happened to: of one thing, one event after the other, in the order of the outbox.
    subject uuid not null,
    ordinal bigint not null,
    data jsonb not null,
    occurred_at timestamptz not null,
    state text not null default 'waiting'
        constraint webhook_delivery_state_known check (state in ('waiting', 'delivered', 'failed', 'expired')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    expires_at timestamptz not null,
    planned_at timestamptz not null,
    settled_at timestamptz,
    lease uuid,
    lease_until timestamptz,
    -- The last tries: at, status, error, milliseconds.
    log jsonb not null default '[]',
    replays integer not null default 0,
    constraint webhook_delivery_once unique (webhook_id, event_id)
);
create index webhook_delivery_due on webhook_delivery (webhook_id, next_attempt_at, ordinal) where state = 'waiting';
create index webhook_delivery_first on webhook_delivery (webhook_id, subject, ordinal) where state = 'waiting';
create index webhook_delivery_leased on webhook_delivery (webhook_id, lease_until) where state = 'waiting' and lease is not null;
create index webhook_delivery_expires on webhook_delivery (expires_at) where state = 'waiting';
create index webhook_delivery_subject on webhook_delivery (subject);
create index webhook_delivery_listed on webhook_delivery (webhook_id, planned_at desc, id desc);
create index webhook_delivery_occurred on webhook_delivery (webhook_id, occurred_at);
create index webhook_delivery_settled on webhook_delivery (settled_at) where settled_at is not null;

-- What happened to a thing, in order: no event overtakes one before it.
create index outbox_subject on outbox (subject, seq);

-- Administrators are told that a webhook was paused.
alter table letter drop constraint letter_kind_known;
alter table letter add constraint letter_kind_known check (kind in
    ('verify-email', 'reset-password', 'change-email', 'leave-email', 'claimed', 'secured', 'emergency', 'webhook-paused'));
