-- What proves that the audit trail is as it was written.

-- One stretch of the trail, from one position (transaction, seq) to another: how many rows it had, the head of the chain of
-- hashes over them, and a signature over all of that. `docs/audit.md` says how to check one without us.
create table audit_seal (
    number bigint constraint audit_seal_pkey primary key,
    from_transaction xid8 not null,
    from_seq bigint not null,
    -- Not included.
    until_transaction xid8 not null,
    until_seq bigint not null,
    rows bigint not null,
    -- The lowest and the highest; null when there are no rows.
    first_seq bigint,
    last_seq bigint,
    -- Head of the seal before.
    previous text not null,
    head text not null,
    -- Of each row its seq and the beginning of its hash, eight bytes each: they say which row it was, once a head differs.
    marks bytea not null,
    sealed_at timestamptz not null,
    key_id text not null,
    signature text not null,
    constraint audit_seal_number_positive check (number > 0),
    constraint audit_seal_rows_counted check (rows >= 0 and octet_length(marks) = 16 * rows),
    constraint audit_seal_order
        check (from_transaction < until_transaction or (from_transaction = until_transaction and from_seq < until_seq)),
    -- Two sealers of one stretch: one of them is too late.
    constraint audit_seal_begins_once unique (from_transaction, from_seq)
);
alter table audit_seal alter column marks set storage external;

-- Seals that lie in the store of copies.
create table audit_seal_copy (
    number bigint constraint audit_seal_copy_pkey primary key
        constraint audit_seal_copy_seal references audit_seal (number),
    copied_at timestamptz not null
);

create trigger audit_seal_append_only before update or delete or truncate on audit_seal
    for each statement execute function refuse_change();
create trigger audit_seal_copy_append_only before update or delete or truncate on audit_seal_copy
    for each statement execute function refuse_change();

-- A refusal names what was asked for; whose it was is found by it.
create index audit_refused on audit (object_id, at) where outcome = 'refused' and object_id is not null;
create index audit_establishment on audit (establishment_id, at, seq) where establishment_id is not null;
