-- $1 [{server, kind, wrapped_key, settings}]   $2 [{mailbox, server, address, lookup}]   $3 now. Mailboxes beside agendas of practitioners that
-- were generated, whose places become an establishment's.
with place as (
    select establishment_id, account_id from membership where role = 'administrator' order by establishment_id, account_id limit 1
), servers as (
    insert into exchange_server (id, establishment_id, kind, name, wrapped_key, settings, created_by, created_at)
    select s.server, place.establishment_id, s.kind, 'bench', s.wrapped_key, s.settings, place.account_id, $3::text::timestamptz
    from jsonb_to_recordset($1) as s (server uuid, kind text, wrapped_key text, settings text), place
), wish as (
    select m.*, row_number() over (order by m.mailbox) as n
    from jsonb_to_recordset($2) as m (mailbox uuid, server uuid, address text, lookup text)
), agenda as (
    select practitioner_id, site_id, row_number() over (order by practitioner_id) as n
    from practice join practitioner p on p.id = practitioner_id where p.rpps like '9990%'
), places as (
    update site set establishment_id = place.establishment_id
    from place where site.id in (select agenda.site_id from agenda join wish using (n))
)
insert into exchange_mailbox (id, server_id, establishment_id, practitioner_id, address, address_lookup, state, read_at, created_by, created_at)
select wish.mailbox, wish.server, place.establishment_id, agenda.practitioner_id, wish.address, wish.lookup, 'active',
       $3::text::timestamptz, place.account_id, $3::text::timestamptz
from wish join agenda using (n), place
