-- A letter was printed and posted, by who works for the agenda it is of. One that is not true any more is none.
-- $1 who   $2 notice
with mine as (
    select n.id, a.patient_id from notice n join appointment a on a.id = n.appointment_id join site on site.id = a.site_id
    where n.id = $2::uuid and n.channel = 'letter'
      and (n.state = 'sent' or (n.state = 'planned' and letter_untrue(n, ($1::jsonb ->> 'at')::timestamptz) is null))
      and may($1::jsonb, 'notice', 'update', a.patient_id, a.practitioner_id, site.establishment_id)
), done as (
    update notice set state = 'sent', settled_at = ($1::jsonb ->> 'at')::timestamptz from mine
    where notice.id = mine.id and notice.state = 'planned'
    returning notice.id, mine.patient_id
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, ($1::jsonb ->> 'at')::timestamptz, 'sent', 'printed' from done
), recorded as (
    insert into trace select line.* from done, entry($1::jsonb, 'update', 'letter.printed', done.id, done.patient_id) as line
)
select jsonb_build_object('found', count(*)) from mine
