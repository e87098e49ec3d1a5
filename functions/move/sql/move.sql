-- Moves, with everything that leaves with it; null when the appointment is no longer at that version.
-- $1 who   $2 the decided wish
select coalesce(move_appointment($1::jsonb, $2::jsonb), 'null'::jsonb)
