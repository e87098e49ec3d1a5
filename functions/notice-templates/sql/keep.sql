-- Words of the establishment's own for a kind of notice.
-- $1 who   $2 kind   $3 channel   $4 language   $5 subject   $6 body
with kept as (
    insert into notice_template as t (establishment_id, kind, channel, language, subject, body, revision, updated_at, updated_by)
    select ($1::jsonb ->> 'establishment')::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, 1,
           ($1::jsonb ->> 'at')::timestamptz, ($1::jsonb ->> 'account')::uuid
    where may($1::jsonb, 'notice-template', 'update', null, null, ($1::jsonb ->> 'establishment')::uuid)
    on conflict on constraint notice_template_pkey do update set subject = excluded.subject, body = excluded.body,
        revision = t.revision + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by
    returning t.*
), recorded as (
    insert into trace
    select line.* from kept, entry($1::jsonb, 'update', 'notice-template.change', kept.establishment_id, null) as line
)
select jsonb_build_object('kind', kind, 'channel', channel, 'language', language, 'subject', subject, 'body', body, 'revision', revision)
from kept
