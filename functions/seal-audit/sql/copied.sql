-- Remembers that a seal lies in the store of copies.
-- $1 number   $2 now
with copied as (
    insert into audit_seal_copy (number, copied_at) values ($1::int8, $2::text::timestamptz)
    on conflict on constraint audit_seal_copy_pkey do nothing
    returning number
)
select jsonb_build_object('copied', count(*)) from copied
