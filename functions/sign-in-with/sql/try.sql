-- One more try of an attempt: three at most, since each asks the provider. It is used up by the session it opens.
-- $1 hash of the ticket   $2 provider   $3 now
update openid_attempt set tries = tries + 1
where ticket = $1::text and provider = $2::text and expires_at > $3::text::timestamptz and tries < 3
returning jsonb_build_object('linking', account_id is not null)
