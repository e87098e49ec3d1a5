-- A guardianship that somebody ended has ended whatever the instant: two instances' clocks are never quite the same, and of two
-- last guardians who leave at once the second must see that the first has gone. `until` alone cannot tell that from an end
-- that is known from the start.
alter table guardianship add column ended_at timestamptz;
update guardianship set ended_at = until where until <= now();
