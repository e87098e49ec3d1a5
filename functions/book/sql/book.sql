-- Books or holds, with everything that leaves with it: see the function's definition in the migrations.
-- $1 actor   $2 the decided wish   $3 now
select book($1::uuid, $2::jsonb, $3::text::timestamptz)
