-- In which session a link may be used, while it is good.
-- $1 link   $2 now
select jsonb_build_object('account', account_id, 'session', session_id) from document_link
where id = $1::uuid and expires_at > $2::text::timestamptz
