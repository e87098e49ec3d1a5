-- Sends again what was settled: one delivery, or those of events of a stretch of time, oldest first, tests apart. Each keeps its
-- id. Documents that are not to be seen any more are left out. Where there are more than may be, it says from when to go on.
-- $1 who   $2 webhook   $3 delivery, or   $4 from   $5 to   $6 expires   $7 how many at most
with mine as (
    select w.id from webhook_of($1::jsonb, 'update', $2::uuid) w
    where $3::uuid is null or exists (select from webhook_delivery d where d.id = $3::uuid and d.webhook_id = w.id)
), chosen as (
    select d.id, d.occurred_at from mine join webhook_delivery d on d.webhook_id = mine.id
    where d.state <> 'waiting' and webhook_tellable(d.kind, d.subject)
      and case when $3::uuid is not null then d.id = $3::uuid
        else d.kind <> 'webhook.test' and d.occurred_at >= $4::text::timestamptz and d.occurred_at < $5::text::timestamptz end
    order by d.occurred_at, d.ordinal limit $7::int8
    for update of d
), replayed as (
    update webhook_delivery d set
        state = 'waiting', attempts = 0, next_attempt_at = ($1::jsonb ->> 'at')::timestamptz,
        expires_at = $6::text::timestamptz, settled_at = null, replays = d.replays + 1
    from chosen where d.id = chosen.id
    returning d.id
), recorded as (
    insert into trace select line.* from mine, entry($1::jsonb, 'execute', 'webhook.replay', mine.id, null) as line
)
select jsonb_build_object(
    'replayed', (select count(*) from replayed),
    'until', (select max(occurred_at) from chosen having count(*) = $7::int8))
from mine
