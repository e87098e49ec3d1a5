-- Forgets the attempts made at something: it has succeeded.
-- $1 keyed hash
with forgotten as (delete from attempt where key = $1::text returning 1)
select jsonb_build_object('forgotten', count(*)) from forgotten
