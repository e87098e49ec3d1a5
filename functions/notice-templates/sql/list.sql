-- The words that are the establishment's own.
-- $1 who
select jsonb_build_object('kind', t.kind, 'channel', t.channel, 'language', t.language, 'subject', t.subject, 'body', t.body,
    'revision', t.revision)
from notice_template t
where t.establishment_id = ($1::jsonb ->> 'establishment')::uuid
  and may($1::jsonb, 'notice-template', 'read', null, null, t.establishment_id)
order by t.kind, t.channel, t.language
