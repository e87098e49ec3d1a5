-- One delivery for each consumer of each new event.
-- $1 [{kind, consumer}]   $2 now   $3 how many events at most
with fresh as (
    -- What nobody here wants waits for somebody who does.
    select seq, id, kind from outbox
    where fanned_out_at is null and kind in (select kind from jsonb_to_recordset($1::jsonb) as wanted (kind text))
    order by seq limit $3::int8 for update skip locked
), fanned as (
    insert into delivery (event_id, consumer, next_attempt_at)
    select fresh.id, wanted.consumer, $2::text::timestamptz
    from fresh join jsonb_to_recordset($1::jsonb) as wanted (kind text, consumer text) on wanted.kind = fresh.kind
    on conflict on constraint delivery_once do nothing
), marked as (
    update outbox set fanned_out_at = $2::text::timestamptz from fresh where outbox.seq = fresh.seq
)
select jsonb_build_object('count', count(*)) from fresh
