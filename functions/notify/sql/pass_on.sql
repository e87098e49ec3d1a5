-- Plans the next channel for messages to a browser that nobody looked at, if there is one; and forgets letters that nobody printed
-- before the visit began.
-- $1 now   $2 sent before   $3 how many at most
with unread as (
    select * from notice
    where channel = 'push' and state in ('sent', 'delivered') and passed_on_at is null and settled_at <= $2::text::timestamptz
    order by settled_at limit $3::int8
    for update skip locked
), marked as (
    update notice set passed_on_at = $1::text::timestamptz where id in (select id from unread)
), passed_on as (
    select pass_on(unread::notice, 'push unread', $1::text::timestamptz, 0, false) from unread
), unprinted as (
    update notice set state = 'skipped', why = 'begun', settled_at = $1::text::timestamptz
    where channel = 'letter' and state = 'planned' and starts_at <= $1::text::timestamptz
    returning id, why
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $1::text::timestamptz, 'skipped', why from unprinted
)
select jsonb_build_object('seen', count(*), 'passed_on', (select count(*) from passed_on)) from unread
