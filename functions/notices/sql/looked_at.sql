-- The actor has looked at what a notice tells of.
-- $1 who   $2 notice
with mine as (
    select id from notice
    where id = $2::uuid and recipient_kind = 'account' and recipient_id = ($1::jsonb ->> 'account')::uuid
)
select jsonb_build_object('found', count(*)) from mine, notices_looked_at($1::jsonb, null, null, mine.id) as looked
