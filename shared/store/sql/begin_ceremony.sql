-- Keeps a challenge until its answer comes.
-- $1 id   $2 kind   $3 account that registers (null: somebody signs in)   $4 state, sealed   $5 expires at
insert into passkey_ceremony (id, kind, account_id, state, expires_at)
values ($1::uuid, $2::text, $3::uuid, $4::text, $5::text::timestamptz)
returning jsonb_build_object('id', id)
