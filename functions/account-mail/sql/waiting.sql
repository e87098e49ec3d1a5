-- How many letters of an event are still to be sent, in our hands or another's.
-- $1 event
select jsonb_build_object('waiting', count(*)) from letter where event_id = $1::uuid and state = 'planned'
