-- Versions that wait to be judged and whose event was given up: it is told again.
-- $1 now   $2 told before
with waiting as (
    select v.document_id, v.number from document_version v
    where v.state in ('checking', 'quarantined') and (v.lease_until is null or v.lease_until < $1::text::timestamptz)
      and not exists (select from outbox o where o.kind = 'document.uploaded.v1' and o.subject = v.document_id
                      and o.data ->> 'version' = v.number::text and o.occurred_at > $2::text::timestamptz)
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'document.uploaded.v1', document_id, jsonb_build_object('document', document_id, 'version', number), $1::text::timestamptz
    from waiting
    returning 1
)
select jsonb_build_object('woken', count(*)) from told
