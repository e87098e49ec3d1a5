-- Visits that are near and of which a reminder is still to be planned, one row for each person who is to be reminded and each
-- reminder that they want. Those who want others than the usual one are looked for from their own side.
-- $1 now   $2 the usual reminder, in minutes   $3 how long before it is due it is planned, in minutes   $4 the longest, in minutes
-- $5 how many at most   $6 how long ago visits began at most of which it is written down that nobody was reminded, in minutes
with near as (
    select a.id, a.version, a.patient_id, a.starts_at, a.agreed_at, a.site_id, a.secret_since, g.account_id, $2::int8 as step,
           null::jsonb as wishes, null::timestamptz as wished_at
    from appointment a
    join guardianship g on g.patient_id = a.patient_id and is_told(g, a.secret_since is not null, $1::text::timestamptz)
    where a.status = 'booked' and a.starts_at > $1::text::timestamptz - make_interval(mins => $6::int8::int)
      and a.starts_at <= $1::text::timestamptz + make_interval(mins => ($2::int8 + $3::int8)::int)
      and not exists (select from notice_preference p where p.account_id = g.account_id)
    union all
    select a.id, a.version, a.patient_id, a.starts_at, a.agreed_at, a.site_id, a.secret_since, g.account_id, step::int8, p.wishes,
           p.updated_at
    from notice_preference p
    cross join lateral jsonb_array_elements_text(coalesce(p.wishes -> 'steps', jsonb_build_array($2::int8))) step
    join guardianship g on g.account_id = p.account_id
    join appointment a on a.patient_id = g.patient_id and is_told(g, a.secret_since is not null, $1::text::timestamptz)
    where a.status = 'booked' and a.starts_at > $1::text::timestamptz - make_interval(mins => $6::int8::int)
      and a.starts_at <= $1::text::timestamptz + make_interval(mins => ($4::int8 + $3::int8)::int)
      and a.starts_at <= $1::text::timestamptz + make_interval(mins => (step::int8 + $3::int8)::int)
)
select jsonb_build_object('appointment', near.id, 'version', near.version, 'starts_at', near.starts_at, 'agreed_at', near.agreed_at,
    'time_zone', site.time_zone, 'account', near.account_id, 'step', near.step, 'preferences', coalesce(near.wishes, '{}'),
    'wished_at', near.wished_at)
from near
join site on site.id = near.site_id
join account on account.id = near.account_id
where account.state = 'active' and not exists (
    select from notice n
    where n.appointment_id = near.id and n.recipient_id = near.account_id and n.recipient_kind = 'account' and n.kind = 'reminder'
      and n.version = near.version and coalesce(n.step_minutes, $2::int8) = near.step)
order by near.starts_at, near.id limit $5::int8
