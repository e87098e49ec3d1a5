-- What was planned by a judgement that never came to its end, and that no later one has taken up, is to be removed.
-- $1 planned before
with stale as (
    update document_object o set state = 'deleted'
    from document_version v
    where o.state = 'planned' and o.part <> 'staging' and o.planned_at < $1::text::timestamptz
      and v.document_id = o.document_id and v.number = o.version and v.state not in ('checking', 'quarantined')
    returning 1
)
select jsonb_build_object('stale', count(*)) from stale
