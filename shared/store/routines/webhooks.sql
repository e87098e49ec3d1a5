-- Webhooks: what is said of one, whom an event concerns, and how a try to deliver it ends.

-- What an administrator is told of a webhook: never its secrets.
create or replace function webhook_document(w webhook, at timestamptz) returns jsonb language sql immutable as $$
    select jsonb_build_object(
        'id', w.id, 'url', w.url, 'description', w.description, 'events', to_jsonb(w.events), 'state', w.state,
        'paused_why', w.paused_why, 'paused_at', w.paused_at, 'failing_since', w.failing_since,
        'former_secret_until', case when w.former_until > at then w.former_until end,
        'verified_at', w.verified_at, 'created_at', w.created_at)
$$;

-- The webhook that an actor may do something with, or no row.
create or replace function webhook_of(who jsonb, to_do text, of_webhook uuid) returns setof webhook language sql stable rows 1 as $$
    select * from webhook where id = of_webhook and may(who, 'webhook', to_do, null, null, establishment_id)
$$;

-- Registers an address for the establishment of the session.
create or replace function create_webhook(who jsonb, wish jsonb) returns jsonb language plpgsql as $$
declare
    here constant uuid := (who ->> 'establishment')::uuid;
    w webhook;
begin
    if not may(who, 'webhook', 'create', null, null, here) then
        return jsonb_build_object('outcome', 'unknown');
    end if;
    -- One after the other: of two at once, both would count one too few.
    perform from establishment where id = here for no key update;
    if (select count(*) from webhook where establishment_id = here) >= (wish ->> 'most')::int8 then
        return jsonb_build_object('outcome', 'too_many');
    end if;
    insert into webhook (id, establishment_id, url, description, events, state, wrapped_key, secret, created_by, created_at)
    select (wish ->> 'id')::uuid, here, wish ->> 'url', wish ->> 'description',
           array(select jsonb_array_elements_text(wish -> 'events')), 'unverified', wish ->> 'wrapped_key', wish ->> 'secret',
           (who ->> 'account')::uuid, (who ->> 'at')::timestamptz
    returning * into w;
    insert into trace select * from entry(who, 'create', 'webhook.create', w.id, null);
    return jsonb_build_object('outcome', 'created', 'webhook', webhook_document(w, w.created_at));
end $$;

-- Whether somebody outside may still be told of a thing: neither what the patient keeps from professionals nor what was taken back.
create or replace function webhook_tellable(of_kind text, of_subject uuid) returns boolean language sql stable as $$
    select of_kind <> 'document.available.v1' or exists (
        select from document d
        where d.id = of_subject and d.withdrawn_at is null and d.purged_at is null and d.hidden_from_professionals_since is null)
$$;

-- Which establishments are told of an event, as the event itself says: what happens to a visit elsewhere, before it came or after
-- it left, is not theirs to know. Whom a visit has left is told so.
create or replace function webhook_told(of_kind text, of_subject uuid, fact jsonb)
returns table (establishment uuid, has_left boolean) language sql stable as $$
    -- Events of earlier releases do not say: there it is where the visit is now.
    select case when fact ? 'establishment' then (fact ->> 'establishment')::uuid else (
        select site.establishment_id from appointment a join site on site.id = a.site_id where a.id = of_subject) end, false
    where of_kind like 'appointment.%'
    union all
    select (fact ->> 'former_establishment')::uuid, true
    where of_kind = 'appointment.moved.v1' and fact ? 'former_establishment'
    union all
    select d.establishment_id, false from document d
    where of_kind = 'document.available.v1' and d.id = of_subject and webhook_tellable(of_kind, of_subject)
$$;

-- The former secrets of a webhook that still sign at an instant, the newest first: [{secret, until}, …].
create or replace function webhook_former_secrets(w webhook, at timestamptz) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(former order by (former ->> 'until')::timestamptz desc), '[]')
    from jsonb_array_elements(w.older_secrets
        || case when w.former_secret is null then '[]'
                else jsonb_build_array(jsonb_build_object('secret', w.former_secret, 'until', w.former_until)) end) former
    where (former ->> 'until')::timestamptz > at
$$;

-- Writes down how a try ended, if the lease is still ours. An address that takes nothing is tried less and less, and paused in
-- the end: then its administrators are told.
-- `ended`: webhook, url, delivery, lease, state, next_attempt_at, try: {at, status, error, ms}, slow, gone, failing_seconds, failures.
create or replace function settle_webhook_delivery(who jsonb, ended jsonb) returns jsonb language plpgsql as $$
declare
    now_at constant timestamptz := (who ->> 'at')::timestamptz;
    w webhook;
    why text;
    elsewhere boolean;
begin
    -- The webhook first, as everybody else who locks both.
    select webhook.* into w from webhook
    where id = (select webhook_id from webhook_delivery where id = (ended ->> 'delivery')::uuid)
    for no key update;
    -- The address is another by now: how the former one did is nothing to it, and what waits begins anew there.
    elsewhere := coalesce(ended ->> 'url' <> w.url, false);
    update webhook_delivery set
        state = ended ->> 'state',
        attempts = case when elsewhere then 0 else attempts end,
        next_attempt_at = case when elsewhere then now_at
            else coalesce((ended ->> 'next_attempt_at')::timestamptz, next_attempt_at) end,
        settled_at = case when ended ->> 'state' <> 'waiting' then now_at end,
        log = case when jsonb_array_length(log) >= 20 then log - 0 else log end || jsonb_build_array(ended -> 'try'),
        lease = null, lease_until = null
    where id = (ended ->> 'delivery')::uuid and lease = (ended ->> 'lease')::uuid;
    if not found then
        return jsonb_build_object('delivery', ended -> 'delivery', 'settled', false, 'paused', null);
    end if;
    if elsewhere then
        return jsonb_build_object('delivery', ended -> 'delivery', 'settled', true, 'paused', null);
    end if;
    w.slow := coalesce((ended ->> 'slow')::boolean, false);
    if ended ->> 'state' = 'delivered' then
        update webhook set failures = 0, failing_since = null, resting_until = null, slow = w.slow
        where id = w.id and (failures > 0 or slow <> w.slow);
        return jsonb_build_object('delivery', ended -> 'delivery', 'settled', true, 'paused', null);
    end if;
    w.failures := w.failures + 1;
    w.failing_since := coalesce(w.failing_since, now_at);
    -- From the third failure in a row on, 5 s and twice as long each time, 5 min at most.
    w.resting_until := case when w.failures >= 3
        then now_at + make_interval(secs => least(300, 5 * 2 ^ least(w.failures - 3, 10))) end;
    why := case when w.state <> 'active' then null
        when (ended ->> 'gone')::boolean then 'gone'
        when w.failures >= (ended ->> 'failures')::int8
             and w.failing_since <= now_at - make_interval(secs => (ended ->> 'failing_seconds')::int8) then 'failing' end;
    update webhook set
        failures = w.failures, failing_since = w.failing_since, resting_until = w.resting_until, slow = w.slow,
        state = case when why is null then state else 'paused' end,
        paused_why = coalesce(why, paused_why), paused_at = case when why is null then paused_at else now_at end
    where id = w.id;
    if why is not null then
        insert into outbox (kind, subject, data, occurred_at)
        values ('webhook.paused.v1', w.id, jsonb_build_object('webhook', w.id, 'establishment', w.establishment_id, 'why', why), now_at);
        insert into trace
        select * from entry(who || jsonb_build_object('establishment', w.establishment_id), 'update', 'webhook.pause', w.id, null);
    end if;
    return jsonb_build_object('delivery', ended -> 'delivery', 'settled', true, 'paused', why);
end $$;
