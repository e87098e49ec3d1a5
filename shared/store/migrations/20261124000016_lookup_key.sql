-- By which lookup key this database is kept: a keyed hash of a constant, which tells nothing of the key. Under another key
-- nobody would be found any more, and everybody could be entered a second time.
create table lookup_key (
    once boolean not null default true constraint lookup_key_pkey primary key constraint lookup_key_once check (once),
    mark text not null
);
