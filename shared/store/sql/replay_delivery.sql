-- Tries a dead delivery again, from now on as if for the first time.
-- $1 delivery   $2 now
with revived as (
    update delivery set state = 'waiting', next_attempt_at = $2::text::timestamptz, settled_at = null,
        attempts = 0, first_attempt_at = null
    where id = $1::int8 and state = 'dead'
    returning id
)
select jsonb_build_object('id', id) from revived
