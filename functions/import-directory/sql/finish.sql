-- Closes the report of a run that read its file to the end.
-- $1 run   $2 report   $3 now
with closed as (
    update import_run set
        finished_at = $3::text::timestamptz,
        lines = r.lines, created = r.created, updated = r.updated, unchanged = r.unchanged, ignored = r.ignored,
        rejected = r.rejected, warnings = r.warnings, rejections = r.rejections
    from jsonb_to_record($2::jsonb) as r (
        lines integer, created integer, updated integer, unchanged integer, ignored integer, rejected integer,
        warnings integer, rejections jsonb)
    where import_run.id = $1::uuid
    returning import_run.id
)
select jsonb_build_object('run', id) from closed
