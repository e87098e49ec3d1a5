-- Plans where the bytes will lie: see the function's definition.
-- $1 document   $2 version   $3 lease   $4 objects   $5 now
select jsonb_build_object('planned', plan_objects($1::uuid, $2::int8, $3::uuid, $4::jsonb, $5::text::timestamptz))
