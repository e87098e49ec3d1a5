-- Back to the usual words.
-- $1 who   $2 kind   $3 channel   $4 language
with gone as (
    delete from notice_template t
    where t.establishment_id = ($1::jsonb ->> 'establishment')::uuid and t.kind = $2::text and t.channel = $3::text
      and t.language = $4::text and may($1::jsonb, 'notice-template', 'delete', null, null, t.establishment_id)
    returning t.establishment_id
), recorded as (
    insert into trace
    select line.* from gone, entry($1::jsonb, 'delete', 'notice-template.reset', gone.establishment_id, null) as line
)
select jsonb_build_object('gone', count(*)) from gone
