-- Calendar feeds: who reads one, and how one is made.

-- Who reads a feed at an instant, for the policy: its account in its capacity, as `actor.sql` finds it for a session. `request`
-- says when and from where. Null for an account or a capacity that is none any more, and where the account has a second factor
-- by now that the feed was made without.
create or replace function calendar_reader(f calendar_feed, request jsonb) returns jsonb language sql stable as $$
    select request || jsonb_build_object(
        'account', account.id, 'role', coalesce(m.role, 'patient'), 'establishment', m.establishment_id,
        'practitioner', m.practitioner_id, 'attached', '[]'::jsonb,
        'purpose', case when m.id is null then 'PATRQT' else 'TREAT' end)
    from account left join membership m on m.id = f.membership_id
    where account.id = f.account_id and account.state = 'active'
      and (f.membership_id is null
           or (not suspended(account.id) and m.since <= (request ->> 'at')::timestamptz
               and (m.until is null or m.until > (request ->> 'at')::timestamptz)))
      and (f.level = 2 or not exists (
          select from second_factor s where s.account_id = account.id and s.confirmed_at is not null))
$$;

-- A feed as its owner sees it, the label still sealed. Never its address.
create or replace function calendar_feed_document(f calendar_feed) returns jsonb language sql stable as $$
    select jsonb_build_object('id', f.id, 'label', f.label, 'patient', f.patient_id, 'created_at', f.created_at,
                              'last_read_on', f.last_read_on)
$$;

-- A new feed in the capacity of the actor's session, in the first place that is free. Who asks for a place that another one is
-- being made in waits for it, and takes the next: of twenty at once ten find one.
create or replace function open_calendar_feed(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    f calendar_feed;
begin
    for free_place in 1..10 loop
        insert into calendar_feed (id, account_id, membership_id, patient_id, place, hash, label, level, created_at)
        select (wish ->> 'id')::uuid, s.account_id, s.membership_id, (wish ->> 'patient')::uuid, free_place, wish ->> 'hash',
               wish ->> 'label', s.level, (who ->> 'at')::timestamptz
        from session s where s.id = (who ->> 'session')::uuid
        on conflict (capacity_id, place) where revoked_at is null do nothing
        returning * into f;
        if found then
            insert into trace select * from entry(who, 'create', 'calendar-feed.create', f.id, f.patient_id);
            return calendar_feed_document(f);
        end if;
    end loop;
    raise exception 'the capacity has as many feeds as it may' using errcode = '23514', constraint = 'calendar_feed_limit';
end $$;
