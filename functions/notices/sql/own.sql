-- What the actor was told, or is to be, the newest first. What was hidden from them before they were told of it is not named here.
-- $1 who   $2 how many   $3 after: planned at   $4 after: id
select notice_document(n) from notice n
where n.recipient_kind = 'account' and n.recipient_id = ($1::jsonb ->> 'account')::uuid
  and (n.state in ('sent', 'delivered', 'read') or may_hear(n, ($1::jsonb ->> 'at')::timestamptz)
       or exists (select from notice_history h where h.notice_id = n.id and h.state in ('sent', 'delivered', 'read')))
  and ($3::text is null or (n.planned_at, n.id) < ($3::text::timestamptz, $4::uuid))
order by n.planned_at desc, n.id desc limit $2::int8
