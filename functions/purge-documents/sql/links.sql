-- Forgets links that are good no more.
-- $1 expired before   $2 how many at most
with past as (
    select id from document_link where expires_at < $1::text::timestamptz order by expires_at limit $2::int8
    for update skip locked
), purged as (
    delete from document_link using past where document_link.id = past.id returning 1
)
select jsonb_build_object('purged', count(*)) from purged
