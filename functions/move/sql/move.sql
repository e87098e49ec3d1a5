-- Moves, with everything that leaves with it; null when the appointment is no longer at that version.
-- $1 actor   $2 the decided wish   $3 now
select coalesce(move_appointment($1::uuid, $2::jsonb, $3::text::timestamptz), 'null'::jsonb)
