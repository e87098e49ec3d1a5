-- The actor has looked at what a notice tells of.
-- $1 who   $2 notice
with mine as (
    select id, state from notice
    where id = $2::uuid and recipient_kind = 'account' and recipient_id = ($1::jsonb ->> 'account')::uuid
), looked as (
    update notice set state = 'read' from mine where notice.id = mine.id and notice.state in ('sent', 'delivered')
    returning notice.id
), noted as (
    insert into notice_history (notice_id, at, state) select id, ($1::jsonb ->> 'at')::timestamptz, 'read' from looked
)
select jsonb_build_object('found', count(*)) from mine
