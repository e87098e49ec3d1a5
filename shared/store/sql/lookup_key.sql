-- By which lookup key this database is kept: the first that comes is noted. No row for who comes at the same moment; the next
-- time there is one.
-- $1 mark of the caller's lookup key
with noted as (
    insert into lookup_key (mark) select $1::text where not exists (select from lookup_key)
    on conflict on constraint lookup_key_pkey do nothing
    returning mark
)
select to_jsonb(mark) from (select mark from noted union all select mark from lookup_key) kept
