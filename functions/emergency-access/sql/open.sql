-- Opens a look in an emergency; patient and family are told by whoever takes the event. One that is open already is answered.
-- $1 who   $2 {id, patient, reason (sealed), until}
select open_in_emergency($1::jsonb, $2::jsonb)
where may($1::jsonb, 'emergency-access', 'create', ($2::jsonb ->> 'patient')::uuid, null, null)
