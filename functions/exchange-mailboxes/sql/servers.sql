-- How the establishment's mailboxes are reached, and the trace of the reading.
-- $1 who
with seen as (
    select s.* from exchange_server s
    where s.establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and may($1::jsonb, 'exchange-server', 'read', null, null, s.establishment_id)
), recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'exchange-server.list', ($1::jsonb ->> 'establishment')::uuid, null) as line
)
select exchange_server_document(seen::exchange_server) from seen order by created_at, id
