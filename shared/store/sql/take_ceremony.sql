-- Takes a challenge: once, in time, for what and for whom it was made.
-- $1 id   $2 kind   $3 account that registers (null: somebody signs in)   $4 now
delete from passkey_ceremony
where id = $1::uuid and kind = $2::text and account_id is not distinct from $3::uuid and expires_at > $4::text::timestamptz
returning jsonb_build_object('state', state)
