-- A connection ended. Subscriptions of which everything was heard are taken up again by who comes next; a mailbox that failed rests, twice as
-- long each time, or as long as its server wants.
-- $1 connection   $2 now   $3 [{mailbox, resumes, failed, rest_seconds}]   $4 seconds of the first rest   $5 seconds of the longest
with told as (
    select t.mailbox, t.resumes, t.failed, t.rest_seconds
    from jsonb_to_recordset($3::jsonb) as t (mailbox uuid, resumes boolean, failed boolean, rest_seconds int8)
), mine as (
    select m.id, told.* from told join exchange_mailbox m on m.id = told.mailbox
    where m.listener = $1::uuid order by m.id for no key update of m
), ended as (
    update exchange_mailbox m set
        listener = null, listener_until = null,
        watch = case when mine.resumes then m.watch end,
        watch_until = case when mine.resumes then m.watch_until end,
        listen_failures = case when mine.failed then m.listen_failures + 1 else 0 end,
        listen_at = case when mine.failed then $2::text::timestamptz + make_interval(secs =>
            greatest(mine.rest_seconds, least($5::int8, $4::int8 * 2 ^ least(m.listen_failures, 20)))) end
    from mine where m.id = mine.id
    returning m.id
)
select jsonb_build_object('ended', count(*)) from ended
