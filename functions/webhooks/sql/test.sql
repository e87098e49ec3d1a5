-- Plans an event that tells of nothing, for the way that all others go.
-- $1 who   $2 webhook   $3 delivery   $4 expires
with mine as (
    select w.id, w.state, w.establishment_id from webhook_of($1::jsonb, 'update', $2::uuid) w
), planned as (
    insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at,
                                  expires_at, planned_at)
    select $3::uuid, mine.id, $3::uuid, 'webhook.test', $3::uuid, 0,
           jsonb_build_object('webhook', mine.id, 'establishment', mine.establishment_id),
           at, at, $4::text::timestamptz, at
    from mine, cast($1::jsonb ->> 'at' as timestamptz) at where mine.state = 'active'
    returning id
), recorded as (
    insert into trace select line.* from planned, entry($1::jsonb, 'execute', 'webhook.test', $2::uuid, null) as line
)
select jsonb_build_object('planned', exists (select from planned)) from mine
