-- The bytes of these are gone from the store.
-- $1 keys   $2 now
with removed as (
    update document_object set deleted_at = $2::text::timestamptz
    where key = any ($1::text[]) and state = 'deleted' and deleted_at is null
    returning 1
)
select jsonb_build_object('removed', count(*)) from removed
