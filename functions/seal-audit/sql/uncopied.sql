-- Seals that are not known to lie in the store of copies, oldest first.
-- $1 how many at most
select audit_seal_document(audit_seal) from audit_seal
where not exists (select from audit_seal_copy where audit_seal_copy.number = audit_seal.number)
order by number
limit $1::int8
