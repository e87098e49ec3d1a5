-- $1 indexes of fresh practitioners, $2 practitioners and $3 appointments in all, $4 now, $5 closed dates.
-- Fills their openings. A time is one or two steps of the grid; whether it is taken follows from its score: a logistic
-- curve over the weeks ahead (95 % near, nearly nothing far), wider for practitioners in demand. Taking the lowest scores
-- gives the exact number that was asked for, as long as there is room. A fifth lies in the eight weeks before now.
-- No patient is in two places: patients take turns in order of time, and there are more of them than can start a visit
-- within the longest one (90 minutes: at most 7 starts a practitioner). Returns [appointments, patients].
with clock as materialized (
    -- A cast from text is done for every row that meets it.
    select $4::text::timestamptz as at
), agenda as materialized (
    select i, p.id as practitioner_id, r.step_minutes as step, i % 3 as last_reason,
        0.5::float8 + abs(hashint8extended(i, 10)) % 1000 * 0.001::float8 as demand,
        $3::bigint * (i + 1) / $2::bigint - $3::bigint * i / $2::bigint as share
    from unnest($1::bigint[]) as i,
        lateral (select pg_temp.seed_id('practitioner', timestamptz '2025-01-01 00:00Z' + i * interval '1 s', i::text) as id) as p
        join reason r on r.practitioner_id = p.id and r.position = 0
), quota as (
    select sum(share) - sum(share) / 5 as ahead, sum(share) / 5 as behind,
        count(*) * 7 as crowd, min(i) as first, sum(share) as total
    from agenda
), free_time as materialized (
    select agenda.i, practitioner_id, demand, opening.site_id, cell, unit.long,
        ((day + (opening.starts_minute + cell * step) * interval '1 minute') at time zone site.time_zone) as starts_at,
        case when unit.long then 1
             when last_reason = 2 and abs(hashint8extended(u.seed, 11)) % 5 = 0 then 2 else 0 end as position,
        (abs(hashint8extended(u.seed, 12)) % 1000000 + 0.5::float8) / 1000000 as luck
    from agenda join opening using (practitioner_id) join site on site.id = opening.site_id,
        generate_series(-56, 182) as ahead,
        lateral (select (select at from clock)::date + ahead as day) as d,
        generate_series(0, (opening.ends_minute - opening.starts_minute) / step - 1) as cell,
        lateral (select (agenda.i * 1000 + ahead + 500) * 4000 + opening.starts_minute + cell as seed,
            (agenda.i * 1000 + ahead + 500) * 4000 + opening.starts_minute + cell / 2 as pair) as u,
        lateral (select last_reason >= 1 and abs(hashint8extended(u.pair, 13)) % 4 = 0
            and (cell / 2 * 2 + 2) * step <= opening.ends_minute - opening.starts_minute as long) as unit
    where extract(isodow from day)::smallint = opening.weekday and day <> all ($5::text[]::date[])
      and not (unit.long and cell % 2 = 1)
), chosen as (
    (select * from free_time
     where starts_at >= (select at from clock) and luck < 0.95
     order by (extract(epoch from starts_at - (select at from clock))::float8 / 604800 + ln(luck / (0.95 - luck))) / demand,
        starts_at, i
     limit (select ahead from quota))
    union all
    (select * from free_time where starts_at < (select at from clock) - interval '2 hours'
     order by luck, starts_at, i limit (select behind from quota))
), turn as (
    select chosen.*, row_number() over (order by starts_at, i) as place,
        least(quota.total, greatest(ceil(quota.total / 4.0), quota.crowd))::bigint as people, quota.first
    from chosen, quota
), planned as materialized (
    select pg_temp.seed_id('appointment', made.created_at, first || '/' || place) as id, practitioner_id,
        pg_temp.seed_id('patient', timestamptz '2025-06-01 00:00Z' + first * interval '1 s'
            + person * interval '1 ms', first || '/' || person) as patient_id,
        site_id, reason.id as reason_id, reason.channel, starts_at,
        starts_at + reason.duration_minutes * interval '1 minute' as ends_at, made.created_at,
        reason.buffer_before_minutes * interval '1 minute' as before, reason.buffer_after_minutes * interval '1 minute' as after,
        person
    from turn join reason using (practitioner_id, position),
        lateral (select place % people as person, least((select at from clock), starts_at)
            - (1 + abs(hashint8extended(i * 1000 + place, 14)) % 3888000) * interval '1 s' as created_at) as made
), resources as (
    insert into resource (id, kind) select distinct patient_id, 'patient' from planned
), patients as (
    -- Nobody's guardian signs in for them and nothing is sealed for them, hence no key.
    insert into patient (id, created_at)
    select distinct on (patient_id) patient_id, (select at from clock) - interval '1 year'
    from planned
    returning 1
), appointments as (
    insert into appointment
        (id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, status, created_at, agreed_at,
         care)
    select id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, 'booked', created_at, created_at,
           true
    from planned
    returning 1
), reservations as (
    insert into reservation (appointment_id, resource_id, during)
    select id, practitioner_id, tstzrange(starts_at - before, ends_at + after) from planned
    union all
    select id, patient_id, tstzrange(starts_at, ends_at) from planned
    -- One resource after the other: each stays on the same pages of the constraint's index.
    order by 2, 3
), audits as (
    insert into audit (at, actor_kind, action, event, object_id, patient_id)
    select created_at, 'system', 'create', 'appointment.book', id, patient_id from planned
)
select array[(select count(*) from appointments), (select count(*) from patients)]
