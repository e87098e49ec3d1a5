-- Counts an attempt at something that may be tried only so often: see the function's definition.
-- $1 keyed hash   $2 how many   $3 window, in seconds   $4 now
select attempt($1::text, $2::int8::integer, $3::int8, $4::text::timestamptz)
