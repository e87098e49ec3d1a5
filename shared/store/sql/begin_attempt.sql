-- Begins an attempt to prove who one is.
-- $1 now   $2 lookup of the e-mail (null: the account is known)   $3 keyed hash of the address
-- $4 limits [{key, most}] where somebody has signed in to that account before   $5 limits elsewhere
-- $6 seconds of the window   $7 seconds after which an attempt that nobody settled is forgotten
-- $8 account, $9 session that the device showed to have signed in with (null: none)   $10 limits of such devices
select begin_attempt($1::text::timestamptz,
                     case when knows_device($2::text, $8::uuid, $9::uuid) then $10::jsonb
                          when knows_address($2::text, $3::text) then $4::jsonb else $5::jsonb end,
                     make_interval(secs => $6::int8), make_interval(secs => $7::int8))
