-- The key that seals why, of a patient whom the actor may look at in an emergency.
-- $1 who   $2 patient
select jsonb_build_object('wrapped_key', wrapped_key) from patient
where id = $2::uuid and may($1::jsonb, 'emergency-access', 'create', id, null, null)
