-- Tries a dead delivery again, now.
-- $1 delivery   $2 now
with revived as (
    update delivery set state = 'waiting', next_attempt_at = $2::text::timestamptz, settled_at = null
    where id = $1::int8 and state = 'dead'
    returning id
)
select jsonb_build_object('id', id) from revived
