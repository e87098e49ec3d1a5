-- Plans a delivery of an event for each webhook that wants it, once. With it come the events before it about the same thing
-- that nobody has planned yet: none overtakes another.
-- $1 event   $2 now   $3 kinds   $4 expires   $5 how far back, in seconds
with told as (
    select seq, subject from outbox where id = $1::uuid
), facts as materialized (
    select fact.* from told join outbox fact on fact.subject = told.subject and fact.seq <= told.seq
    where fact.kind = any ($3::text[]) and fact.occurred_at > $2::text::timestamptz - make_interval(secs => $5::int8)
), wanted as materialized (
    -- A version of a document is available again when it is shown to one more: to a program it is the same news, under one id.
    select case when facts.kind = 'document.available.v1'
               then md5(concat_ws(' ', webhook.id, facts.subject, facts.data ->> 'version'))::uuid else gen_random_uuid() end as id,
           webhook.id as webhook_id, facts.id as event_id, facts.kind, facts.subject, facts.seq, facts.occurred_at,
           -- Ids and the version alone, whatever else our own consumers are told.
           jsonb_strip_nulls(jsonb_build_object('appointment', facts.data -> 'appointment', 'document', facts.data -> 'document',
               'version', facts.data -> 'version', 'establishment', webhook.establishment_id,
               'left', case when place.has_left then true end)) as data
    from facts cross join lateral webhook_told(facts.kind, facts.subject, facts.data) as place
    join webhook on webhook.establishment_id = place.establishment and facts.kind = any (webhook.events)
        and webhook.since <= facts.occurred_at
), planned as (
    insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at,
                                  expires_at, planned_at)
    select id, webhook_id, event_id, kind, subject, seq, data, occurred_at, $2::text::timestamptz, $4::text::timestamptz,
           $2::text::timestamptz
    from wanted order by seq
    on conflict do nothing
    returning id
), again as (
    -- It was given up, perhaps since it was hidden meanwhile; now there is a reason to tell it after all.
    update webhook_delivery d set
        state = 'waiting', event_id = wanted.event_id, attempts = 0, next_attempt_at = $2::text::timestamptz,
        expires_at = $4::text::timestamptz, settled_at = null
    from wanted
    where d.id = wanted.id and d.state in ('failed', 'expired') and wanted.event_id = $1::uuid and d.event_id <> wanted.event_id
    returning d.id
)
select jsonb_build_object('planned', (select count(*) from planned) + (select count(*) from again))
