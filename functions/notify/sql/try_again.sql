-- Has a notice that failed tried again, as if for the first time; not one that another channel tells.
-- $1 notice   $2 now
with revived as (
    update notice n set state = 'planned', why = null, attempts = 0, trying_since = null, planned_at = $2::text::timestamptz,
        send_at = $2::text::timestamptz, settled_at = null
    where id = $1::uuid and state = 'failed' and not handed_on(n)
    returning id
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $2::text::timestamptz, 'planned', 'tried again' from revived
)
select jsonb_build_object('revived', count(*)) from revived
