-- How many notices of an event are still to be sent, in our hands or another's.
-- $1 event
select jsonb_build_object('waiting', count(*)) from notice where event_id = $1::uuid and state = 'planned'
