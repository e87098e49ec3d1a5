-- Plans the next channel for messages to a browser that nobody looked at, and for text messages of which the provider says nothing, if
-- there is one; and forgets letters that are not to be printed any more.
-- $1 now   $2 to a browser: sent before   $3 how many of each at most   $4 text messages: sent before   $5 and after
with unread as (
    select * from notice
    where channel = 'push' and state in ('sent', 'delivered') and passed_on_at is null and settled_at <= $2::text::timestamptz
    order by settled_at limit $3::int8
    for update skip locked
), unconfirmed as (
    select * from notice n
    where n.channel = 'sms' and n.state = 'sent' and n.passed_on_at is null
      and n.settled_at <= $4::text::timestamptz and n.settled_at > $5::text::timestamptz
      -- Only where the provider tells what arrives: something did that was sent since the day before.
      and exists (select from notice arrived where arrived.channel = 'sms' and arrived.state = 'delivered'
                  and arrived.provider = n.provider and arrived.settled_at > n.settled_at - interval '1 day')
      -- Of what was told in the message of another one, that one knows.
      and not exists (select from notice message where message.id = n.told_in and message.state in ('delivered', 'read'))
    order by n.settled_at limit $3::int8
    for update of n skip locked
), marked as (
    update notice set passed_on_at = $1::text::timestamptz
    where id in (select id from unread union all select id from unconfirmed)
), passed_on as (
    select pass_on(unread::notice, 'push unread', $1::text::timestamptz, 0, false) from unread
    union all
    select pass_on(unconfirmed::notice, 'sms undelivered', $1::text::timestamptz, 0, false) from unconfirmed
), waiting as materialized (
    select n.id, letter_untrue(n, $1::text::timestamptz) as why from notice n where n.channel = 'letter' and n.state = 'planned'
), unprinted as (
    update notice set state = 'skipped', why = waiting.why, settled_at = $1::text::timestamptz
    from waiting where notice.id = waiting.id and waiting.why is not null and notice.state = 'planned'
    returning notice.id, notice.why
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $1::text::timestamptz, 'skipped', why from unprinted
)
select jsonb_build_object('seen', greatest((select count(*) from unread), (select count(*) from unconfirmed)),
                          'passed_on', (select count(*) from passed_on))
