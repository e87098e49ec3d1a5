-- Notices by several channels, planned ahead, with a history; how people want to be told.

-- How an account wants to be told: `domain::notice::Preferences`; who says nothing has no row.
create table notice_preference (
    account_id uuid constraint notice_preference_pkey primary key constraint notice_preference_account references account (id),
    wishes jsonb not null,
    -- Since when no text message goes to them: they answered STOP.
    sms_stopped_at timestamptz,
    updated_at timestamptz not null
);

-- A reminder is planned from a visit that is near, not from an event.
alter table notice alter column event_id drop not null;
alter table notice drop constraint notice_channel_known;
alter table notice add constraint notice_channel_known check (channel in ('push', 'email', 'sms', 'letter'));
alter table notice drop constraint notice_state_known;
alter table notice add constraint notice_state_known
    check (state in ('planned', 'sent', 'delivered', 'read', 'skipped', 'failed'));
-- Why it was planned: 'event', 'reminder', 'email failed', 'push unread' …
alter table notice add column because text not null default 'event';
-- Of a reminder: how long before the start, in minutes.
alter table notice add column step_minutes bigint;
update notice set step_minutes = 1440 where kind = 'reminder';
-- The day of the visit where it takes place: those of one day are told together.
alter table notice add column day date;
-- Not before then; when it was planned, for what an earlier release plans.
alter table notice add column send_at timestamptz;
alter table notice add column establishment_id uuid constraint notice_establishment references establishment (id);
-- In whose message it was told.
alter table notice add column told_in uuid constraint notice_told_in references notice (id);
-- What the provider calls the message, and what it cost.
alter table notice add column provider text;
alter table notice add column reference text;
alter table notice add column segments integer;
alter table notice add column cost_microeur bigint;
-- Keyed hash of the number that a text message went to: an answer comes from there.
alter table notice add column to_lookup text;
-- What its recipient answered: 'confirm', 'cancel', 'stop'.
alter table notice add column reply text;
-- Another channel was tried since nobody looked at it.
alter table notice add column passed_on_at timestamptz;

create unique index notice_reminder_once
    on notice (appointment_id, version, step_minutes, recipient_kind, recipient_id, channel) where step_minutes is not null;
drop index notice_appointment;
create index notice_appointment on notice (appointment_id, recipient_id);
-- Those of one person beside each other: they are told together.
create index notice_due on notice ((coalesce(send_at, planned_at)), recipient_id, id) where state = 'planned' and channel <> 'letter';
create index notice_waiting on notice (recipient_id, day) where state = 'planned';
create index notice_letter on notice (establishment_id, planned_at) where state = 'planned' and channel = 'letter';
create index notice_unread on notice (settled_at) where state in ('sent', 'delivered') and channel = 'push' and passed_on_at is null;
create index notice_reference on notice (provider, reference) where reference is not null;
create index notice_to_number on notice (to_lookup, settled_at) where to_lookup is not null;
create index notice_establishment_time on notice (establishment_id, planned_at);
create index notice_recipient_time on notice (recipient_id, planned_at);

-- What happened to a notice, in order.
create table notice_history (
    seq bigint generated always as identity constraint notice_history_pkey primary key,
    notice_id uuid not null constraint notice_history_notice references notice (id),
    at timestamptz not null,
    state text not null,
    why text
);
create index notice_history_notice on notice_history (notice_id);

-- How many notices somebody was sent on a day of theirs.
create table notice_allowance (
    recipient_id uuid not null,
    day date not null,
    owed boolean not null,
    sent integer not null,
    constraint notice_allowance_pkey primary key (recipient_id, day, owed)
);
create index notice_allowance_day on notice_allowance (day);

-- Reminders are asked for by no event any more: what nobody wants would wait for ever.
update outbox set fanned_out_at = occurred_at where kind = 'reminder.due.v1' and fanned_out_at is null;

-- Words of an establishment's own: `domain::notice::Words`.
create table notice_template (
    establishment_id uuid not null constraint notice_template_establishment references establishment (id),
    kind text not null constraint notice_template_kind_known
        check (kind in ('confirmation', 'change', 'cancellation', 'reminder', 'document')),
    channel text not null constraint notice_template_channel_known check (channel in ('push', 'email', 'sms')),
    language text not null constraint notice_template_language_known check (language in ('fr', 'en')),
    subject text,
    body text not null,
    revision integer not null,
    updated_at timestamptz not null,
    updated_by uuid not null constraint notice_template_author references account (id),
    constraint notice_template_pkey primary key (establishment_id, kind, channel, language)
);
