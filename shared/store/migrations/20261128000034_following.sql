-- A visit may follow its item to another time, where the establishment leaves that to the calendar.
alter table exchange_mailbox add column follow_moves boolean not null default false;

-- And the trail says that it was the calendar that moved it. Rows of before satisfied the narrower constraint: there is nothing to look at.
alter table audit drop constraint audit_actor_known;
alter table audit add constraint audit_actor_known check (actor_kind in ('account', 'system', 'anonymous', 'mailbox')) not valid;
