-- Keeps a seal. Nothing is written when another sealer had the same stretch first.
-- $1 the seal   $2 the marks of its rows, base64
with kept as (
    insert into audit_seal
        (number, from_transaction, from_seq, until_transaction, until_seq, rows, first_seq, last_seq, previous, head, marks,
         sealed_at, key_id, signature)
    select (seal ->> 'number')::int8,
           (seal #>> '{from,transaction}')::xid8, (seal #>> '{from,seq}')::int8,
           (seal #>> '{until,transaction}')::xid8, (seal #>> '{until,seq}')::int8,
           (seal ->> 'rows')::int8, (seal ->> 'first')::int8, (seal ->> 'last')::int8,
           seal ->> 'previous', seal ->> 'head', decode($2::text, 'base64'),
           (seal ->> 'sealed_at')::timestamptz, seal ->> 'key', seal ->> 'signature'
    from (select $1::jsonb as seal) as said
    on conflict do nothing
    returning number
)
select jsonb_build_object('number', number) from kept
