-- Takes and frees times: see the function's definition.
-- $1 mailbox   $2 lease   $3 now   $4 {place, retire}
select jsonb_build_object('placed', place_blocks($1::uuid, $2::uuid, $3::text::timestamptz, $4::jsonb))
