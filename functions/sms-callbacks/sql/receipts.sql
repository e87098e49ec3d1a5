-- What became of text messages, by what the provider calls them or by what we call them: it may tell of one before the sender has
-- written down that it was taken, or when that took too long to be known. Of several about one message the furthest holds: what was
-- delivered did not fail. It holds for all visits that the message told of. What failed is planned for the next channel. The sender's
-- lease is left: it adds what it knows (`settle`), and changes no state.
-- $1 now   $2 [{provider, reference, tag, state, why}], as they were told   $3 how long a letter takes, in minutes
with told as (
    select t.*, place, array_position('{sent,failed,delivered}', t.state) as how_far
    from jsonb_array_elements($2::jsonb) with ordinality as one (receipt, place),
        jsonb_to_record(receipt) as t (provider text, reference text, tag uuid, state text, why text)
), named as (
    select n.id, told.* from told join notice n on n.provider = told.provider and n.reference = told.reference
    where n.channel = 'sms'
    union all
    -- A notice that was tried twice is two messages of the provider's: that one of them failed says nothing of the other.
    select n.id, told.* from told join notice n on n.id = told.tag
    where n.channel = 'sms' and (n.reference is null or told.state = 'delivered')
), message as (
    select distinct on (named.id) named.*, n.lease, n.recipient_kind, n.recipient_id, n.day, n.step_minutes, n.state as is_now
    from named join notice n on n.id = named.id
    order by named.id, named.how_far desc, named.place desc
), concerned as (
    select message.id, message.id as told_in from message
    union all
    select n.id, message.id from message join notice n on n.told_in = message.id and n.state <> 'planned'
    union all
    -- Those that were tried in the same message, and are not written down yet.
    select n.id, message.id from message
    join notice n on n.recipient_id = message.recipient_id and n.recipient_kind = message.recipient_kind and n.day = message.day
        and n.step_minutes = message.step_minutes and n.state = 'planned' and n.channel = 'sms' and n.attempts > 0
        and n.id <> message.id and n.lease is not distinct from message.lease
    where message.is_now = 'planned'
), changed as (
    update notice n set state = message.state, why = message.why, provider = message.provider,
        reference = case when n.id = message.id then coalesce(n.reference, message.reference) else n.reference end,
        told_in = nullif(message.id, n.id), settled_at = coalesce(n.settled_at, $1::text::timestamptz),
        to_lookup = coalesce(n.to_lookup, account.phone_lookup)
    from concerned join message on message.id = concerned.told_in
    left join account on account.id = message.recipient_id
    where n.id = concerned.id and (
        (n.state = 'planned' and n.attempts > 0
            -- That it was taken is the sender's to write down, while it waits for that.
            and (message.state <> 'sent' or n.lease_until is null or n.lease_until <= $1::text::timestamptz))
        or (n.state = 'sent' and message.state <> 'sent')
        or (n.state = 'failed' and message.state = 'delivered'))
    returning n.*
), passed_on as (
    select pass_on(changed::notice, 'sms failed', $1::text::timestamptz, $3::int8, true) from changed where changed.state = 'failed'
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $1::text::timestamptz, state, why from changed
)
select jsonb_build_object('changed', (select count(*) from changed), 'passed_on', (select count(*) from passed_on))
