-- A deterministic id that grows with its time, as the version 7 ids of real rows do: indexes then fill as in production.
create or replace function pg_temp.seed_id(kind text, at timestamptz, name text) returns uuid
    language sql immutable parallel safe
    as $$
        select overlay(overlay(overlay(md5(kind || name)
            placing lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') from 1)
            placing '7' from 13) placing 'a' from 17)::uuid
    $$
