-- Puts a mailbox beside an agenda: see the function's definition.
-- $1 who   $2 {id, server, practitioner, address, address_lookup, tentative_blocks, when_silent, follow_moves}
select create_mailbox($1::jsonb, $2::jsonb)
