-- How often a sign-in may fail. Each attempt is counted before its password is looked at and settled after, so that of any
-- number at once no more than the limit are looked at, and those that were right count for nothing.

-- Whether somebody has signed in from an address (keyed hash) to an account that an e-mail (lookup) stands for: the one
-- that has shown it to be its own, else any that claims it.
create or replace function knows_address(of_email text, of_address text) returns boolean language sql stable as $$
    select exists (
        select from account a join known_address k on k.account_id = a.id and k.address = of_address
        where a.email_lookup = of_email and a.state = 'active'
          and (a.email_verified_at is not null or not exists (
              select from account v where v.email_lookup = of_email and v.state = 'active' and v.email_verified_at is not null)))
$$;

-- Whether a session that a device shows was one of an account that an e-mail stands for. One that was ended for a reason tells
-- nothing of who has the device now.
create or replace function knows_device(of_email text, of_account uuid, of_session uuid) returns boolean language sql stable as $$
    select exists (
        select from session s join account a on a.id = s.account_id
        where s.id = of_session and a.id = of_account and a.email_lookup = of_email and a.state = 'active'
          and (s.revoked_at is null or s.revoked_why in ('signed out', 'stepped up'))
          and (a.email_verified_at is not null or not exists (
              select from account v where v.email_lookup = of_email and v.state = 'active' and v.email_verified_at is not null)))
$$;

-- Whether what ends at an instant still counts. What ends later than anything that could begin now is of a clock that was set
-- back; requests that run side by side are apart by less than a minute.
create or replace function counts(ends timestamptz, at timestamptz, lasting interval) returns boolean language sql immutable as $$
    select ends > at and ends <= at + lasting + interval '1 minute'
$$;

-- Begins an attempt that counts for each of limits [{key, most}]: state 'begun' with its ticket; 'limited' until when; or
-- 'busy', when it may be tried again as soon as those under way are settled.
create or replace function begin_attempt(at timestamptz, limits jsonb, in_window interval, lease interval)
returns jsonb language plpgsql as $$
declare
    wanted record;
    counted sign_in_attempt;
    wait timestamptz;
    busy boolean := false;
    ticket jsonb := '[]';
begin
    -- In the order of their keys: two attempts that share some never wait for each other.
    for wanted in select key, most from jsonb_to_recordset(limits) as l (key text, most integer) order by key loop
        insert into sign_in_attempt as a (key, failures, pending, window_ends, pending_until)
        values (wanted.key, 0, 0, at + in_window, at)
        on conflict on constraint sign_in_attempt_pkey do update set
            failures = case when counts(a.window_ends, at, in_window) then a.failures else 0 end,
            window_ends = case when counts(a.window_ends, at, in_window) then a.window_ends else at + in_window end,
            pending = case when counts(a.pending_until, at, lease) then a.pending else 0 end
        returning * into counted;
        if counted.failures >= wanted.most then
            wait := greatest(wait, counted.window_ends);
        elsif counted.failures + counted.pending >= wanted.most then
            busy := true;
        end if;
        ticket := ticket || jsonb_build_object('key', counted.key, 'window_ends', counted.window_ends);
    end loop;
    if wait is not null then
        return jsonb_build_object('state', 'limited', 'until', wait);
    elsif busy then
        return jsonb_build_object('state', 'busy');
    end if;
    update sign_in_attempt a set pending = a.pending + 1, pending_until = at + lease
    from jsonb_to_recordset(ticket) as t (key text) where a.key = t.key;
    return jsonb_build_object('state', 'begun', 'ticket', ticket);
end $$;

-- Ends an attempt. One that outlived its window failed in a time that counts no more.
create or replace function settle_attempt(ticket jsonb, failed boolean) returns integer language plpgsql as $$
declare
    mine record;
    settled integer := 0;
begin
    for mine in select key, window_ends from jsonb_to_recordset(ticket) as t (key text, window_ends timestamptz) order by key loop
        update sign_in_attempt a set pending = greatest(a.pending - 1, 0), failures = a.failures + failed::integer
        where a.key = mine.key and a.window_ends = mine.window_ends;
        settled := settled + 1;
    end loop;
    return settled;
end $$;
