-- Which of some notices their recipients may still be sent on this day of theirs: see the function's definition.
-- $1 [{id, recipient, day, owed, most}]   $2 most   $3 most of what is owed
select jsonb_build_object('allowed', allow_notices($1::jsonb, $2::int8::integer, $3::int8::integer))
