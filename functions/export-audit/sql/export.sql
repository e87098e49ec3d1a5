-- The trail of the actor's establishment, oldest first, and the line that this reading adds to it.
-- $1 who   $2 from   $3 until   $4 how many   $5 after: at   $6 after: seq
with recorded as (
    insert into trace
    select line.* from entry($1::jsonb, 'read', 'audit.export', null, null) as line
    where may($1::jsonb, 'audit', 'read', null, null, ($1::jsonb ->> 'establishment')::uuid)
)
select to_jsonb(audit) - 'transaction_id' - 'changes'
from audit
where audit.establishment_id = ($1::jsonb ->> 'establishment')::uuid
  and audit.at >= $2::text::timestamptz and audit.at <= $3::text::timestamptz
  and ($5::text is null or (audit.at, audit.seq) > ($5::text::timestamptz, $6::int8))
  and may($1::jsonb, 'audit', 'read', null, null, audit.establishment_id)
order by audit.at, audit.seq
limit $4::int8
