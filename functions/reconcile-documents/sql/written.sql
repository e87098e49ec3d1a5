-- Bytes that were written, by what they are called in the store, in a stretch of it.
-- $1 after   $2 up to, or null for all   $3 written before
select jsonb_build_object('key', o.key, 'document', o.document_id) from document_object o
where o.state = 'written' and o.key collate "C" > $1::text and ($2::text is null or o.key collate "C" <= $2::text)
  and o.planned_at < $3::text::timestamptz
order by o.key collate "C"
