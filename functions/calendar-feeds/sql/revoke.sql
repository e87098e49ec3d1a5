-- Ends a feed of the actor's, made in whatever capacity. Said again, it changes nothing.
-- $1 who   $2 feed
with mine as (
    select id from calendar_feed
    where id = $2::uuid and account_id = ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'calendar-feed', 'delete', null, null, null)
), revoked as (
    update calendar_feed f set revoked_at = ($1::jsonb ->> 'at')::timestamptz, label = null
    from mine where f.id = mine.id and f.revoked_at is null
    returning f.id, f.patient_id
), recorded as (
    insert into trace
    select line.* from revoked, entry($1::jsonb, 'delete', 'calendar-feed.revoke', revoked.id, revoked.patient_id) as line
)
select jsonb_build_object('id', id) from mine
