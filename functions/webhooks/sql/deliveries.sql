-- What was sent to a webhook, or is on its way, the newest first, and the trace of the reading.
-- $1 who   $2 webhook   $3 state   $4 how many   $5 before: planned at   $6 before: id
with mine as (
    select w.id from webhook_of($1::jsonb, 'read', $2::uuid) w
), recorded as (
    insert into trace select line.* from mine, entry($1::jsonb, 'read', 'webhook.deliveries', mine.id, null) as line
)
select jsonb_build_object('deliveries', (
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', d.id, 'type', d.kind, 'subject', d.subject, 'occurred_at', d.occurred_at, 'planned_at', d.planned_at,
        'state', d.state, 'attempts', d.attempts, 'replays', d.replays, 'settled_at', d.settled_at,
        'next_attempt_at', case when d.state = 'waiting' then d.next_attempt_at end, 'tries', d.log)
        order by d.planned_at desc, d.id desc), '[]')
    from (
        select * from webhook_delivery of_mine
        where of_mine.webhook_id = mine.id and ($3::text is null or of_mine.state = $3::text)
          and ($5::text is null or (of_mine.planned_at, of_mine.id) < ($5::text::timestamptz, $6::uuid))
        order by of_mine.planned_at desc, of_mine.id desc limit $4::int8
    ) d))
from mine
