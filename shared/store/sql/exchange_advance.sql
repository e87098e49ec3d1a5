-- A window was read so far. Nothing without the lease.
-- $1 mailbox   $2 lease   $3 now   $4 window from   $5 cursor
with advanced as (
    update exchange_mailbox m set window_from = $4::text::timestamptz, cursor = $5::text
    from held_mailbox($1::uuid, $2::uuid, $3::text::timestamptz) mine where m.id = mine.id
    returning m.id
)
select jsonb_build_object('mailbox', id) from advanced
