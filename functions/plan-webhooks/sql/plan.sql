-- Plans a delivery of an event for each webhook that wants it, once. With it come the events before it about the same thing
-- that nobody has planned yet: none overtakes another.
-- $1 event   $2 now   $3 kinds   $4 expires   $5 how far back, in seconds
with told as (
    select seq, subject from outbox where id = $1::uuid
), facts as materialized (
    select fact.* from told join outbox fact on fact.subject = told.subject and fact.seq <= told.seq
    where fact.kind = any ($3::text[]) and fact.occurred_at > $2::text::timestamptz - make_interval(secs => $5::int8)
), planned as (
    insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at,
                                  expires_at, planned_at)
    -- Ids and the version alone, whatever else our own consumers are told.
    select gen_random_uuid(), webhook.id, facts.id, facts.kind, facts.subject, facts.seq,
           jsonb_strip_nulls(jsonb_build_object('appointment', facts.data -> 'appointment', 'document', facts.data -> 'document',
               'version', facts.data -> 'version', 'establishment', webhook.establishment_id)),
           facts.occurred_at, $2::text::timestamptz, $4::text::timestamptz, $2::text::timestamptz
    from facts cross join lateral webhook_places(facts.kind, facts.subject) as place
    join webhook on webhook.establishment_id = place and facts.kind = any (webhook.events) and webhook.since <= facts.occurred_at
    order by facts.seq
    on conflict on constraint webhook_delivery_once do nothing
    returning id
)
select jsonb_build_object('planned', count(*)) from planned
