-- Opens the report of a run.
-- $1 run   $2 now
with opened as (
    insert into import_run (id, source, started_at) values ($1::uuid, 'PS_LibreAcces_Personne_activite', $2::text::timestamptz)
    returning id
)
select jsonb_build_object('run', id) from opened
