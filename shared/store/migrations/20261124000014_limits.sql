-- What is counted so that nobody takes too much, and what is remembered of late moves.

-- What of each window has been leased to instances. Lost in a crash, which begins every window anew.
create unlogged table rate_window (
    -- A keyed hash: no address stands here.
    key text constraint rate_window_pkey primary key,
    -- Counted in windows from the epoch.
    began bigint not null,
    leased bigint not null,
    -- The last block.
    granted bigint not null
);

-- Attempts at what may only be tried a few times. Kept over a crash: they guard passwords.
create table attempt (
    -- A keyed hash of what is tried and by or on whom.
    key text constraint attempt_pkey primary key,
    began_at timestamptz not null,
    ends_at timestamptz not null,
    made integer not null
);
create index attempt_ends on attempt (ends_at);

-- The holds of an account are counted with each new one.
create index appointment_held_by on appointment (booked_by) where status = 'held';

-- Whether the last move came with less notice than the reason asks for; null when it was never moved.
alter table appointment add column moved_late boolean;

-- Sessions are swept once they are long past.
create index session_ended on session (least(expires_at, revoked_at));
