-- Plans reminders, once for each visit, time, person and step; or writes down why there will be none.
-- $1 now   $2 [{appointment, version, account, step, send_at, why}]   $3 how long a letter takes, in minutes
-- Materialized: the channel is looked for once, and not wherever it is named.
with wanted as materialized (
    select w.*, coalesce((channels_of(person, 'reminder'))[1], 'letter') as channel, a.starts_at, a.secret_since, site.establishment_id,
           (a.starts_at at time zone site.time_zone)::date as day
    from jsonb_to_recordset($2::jsonb) as w (appointment uuid, version integer, account uuid, step bigint, send_at timestamptz, why text)
    -- One that was moved meanwhile is planned anew.
    join appointment a on a.id = w.appointment and a.version = w.version
    join site on site.id = a.site_id
    join account person on person.id = w.account
), judged as (
    select wanted.*, case
        when why is not null or channel <> 'letter' then why
        -- A letter home would tell what a minor keeps secret.
        when secret_since is not null then 'kept secret'
        when starts_at < $1::text::timestamptz + make_interval(mins => $3::int8::int) then 'no channel' end as judgement
    from wanted
), planned as (
    insert into notice (appointment_id, kind, because, recipient_kind, recipient_id, channel, version, step_minutes, starts_at, day,
                        establishment_id, state, why, planned_at, send_at, settled_at)
    select appointment, 'reminder', 'reminder', 'account', account, channel, version, step, starts_at, day, establishment_id,
           case when judgement is null then 'planned' else 'skipped' end, judgement, $1::text::timestamptz, send_at,
           case when judgement is not null then $1::text::timestamptz end
    from judged
    on conflict do nothing
    returning id, state, why
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $1::text::timestamptz, state, coalesce(why, 'reminder') from planned
)
select jsonb_build_object('planned', count(*)) from planned
