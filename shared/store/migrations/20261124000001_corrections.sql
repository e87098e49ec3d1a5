-- The rules a booking is decided on are also those of the place and of being online at all.

create function bump_agenda_of_site() returns trigger language plpgsql as $$
begin
    update practitioner set agenda_version = agenda_version + 1
    where id in (select practitioner_id from practice where site_id = new.id);
    return null;
end $$;
create trigger site_bumps_agenda after update of time_zone, holidays on site
    for each row when ((old.time_zone, old.holidays) is distinct from (new.time_zone, new.holidays))
    execute function bump_agenda_of_site();

create trigger practice_delete_bumps_agenda after delete on practice
    referencing old table as changed for each statement execute function bump_agenda_version();

create function bump_own_agenda() returns trigger language plpgsql as $$
begin
    new.agenda_version := old.agenda_version + 1;
    return new;
end $$;
create trigger practitioner_bumps_agenda before update of online on practitioner
    for each row when (old.online is distinct from new.online)
    execute function bump_own_agenda();

-- What a notice tells of: a version of its appointment and, for who takes part no longer, the time that was theirs.
alter table notice add column version integer not null default 1;
alter table notice alter column version drop default;
alter table notice add column ends_at timestamptz;

-- One reminder for each version: a move to another practitioner at the same hour is told too.
alter table reminder add column version integer not null default 1;
alter table reminder alter column version drop default;
alter table reminder drop constraint reminder_pkey;
alter table reminder add constraint reminder_pkey primary key (appointment_id, version, step_minutes);

-- Trying is counted from the first attempt: a deliverer that was away for days has tried nothing yet.
alter table delivery add column first_attempt_at timestamptz;

-- One spelling of towns and names for looking up: neither accents, case, hyphens, apostrophes nor an abbreviated saint.
create or replace function fold(words text) returns text
    language sql immutable strict parallel safe
    as $$ select regexp_replace(
        btrim(regexp_replace(lower(public.unaccent('public.unaccent'::regdictionary, words)), '[-''’` .]+', ' ', 'g')),
        '\m(ste?)\M(?=.)', 'saint', 'g') $$;
-- Stored folds are worked out anew.
update practitioner set updated_at = updated_at;
update site set name = name;
update specialty set words = (select coalesce(array_agg(fold(word)), '{}') from unnest(words) word);
