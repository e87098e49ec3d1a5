-- A new feed, for all whose visits the actor may see or for one of them: see the function's definition.
-- $1 who   $2 {id, patient, hash, label (sealed)}
select open_calendar_feed($1::jsonb, $2::jsonb)
where may($1::jsonb, 'calendar-feed', 'create', null, null, null)
  and ($2::jsonb ->> 'patient' is null
       or may($1::jsonb, 'appointment', 'read', ($2::jsonb ->> 'patient')::uuid, null, null))
