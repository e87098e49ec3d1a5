-- Sending by channel, of which one that is away makes way for the next.

-- Whether it counts among what its recipient is sent that day: counted once, however often it is tried.
alter table notice add column counted boolean not null default false;
-- When it was first tried in vain.
alter table notice add column trying_since timestamptz;
-- What is tried now was counted under an earlier release.
update notice set counted = true where state = 'planned' and attempts > 0;

-- Those of one person beside each other: they are told together.
create index notice_due_of_channel on notice (channel, (coalesce(send_at, planned_at)), recipient_id, id)
    where state = 'planned' and channel <> 'letter';
drop index notice_due;
-- A notice is taken, then settled: there is room on its page for both.
alter table notice set (fillfactor = 50);
