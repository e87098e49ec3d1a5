-- Writes down how sendings ended, where the lease is still ours. 'planned' gives one back for another try. What failed is planned
-- for the next channel of its recipient, a letter after the last one, if there is time for it.
-- $1 lease   $2 now   $3 [{id, state, why, send_at, deferred, told_in, provider, reference, segments, cost_microeur, to_lookup}]
-- $4 how long a letter takes, in minutes
with given as (
    select * from jsonb_to_recordset($3::jsonb) as g (id uuid, state text, why text, send_at timestamptz, deferred boolean,
        told_in uuid, provider text, reference text, segments integer, cost_microeur bigint, to_lookup text)
), former as (
    select id, why from notice where id in (select id from given)
), settled as (
    update notice n set state = given.state, why = given.why, lease = null, lease_until = null,
        send_at = coalesce(given.send_at, n.send_at), attempts = n.attempts - case when given.deferred then 1 else 0 end,
        settled_at = case when given.state = 'planned' then null else $2::text::timestamptz end, told_in = given.told_in,
        provider = given.provider, reference = given.reference, segments = given.segments, cost_microeur = given.cost_microeur,
        to_lookup = given.to_lookup
    from given
    where n.id = given.id and n.lease = $1::uuid
    returning n.*
), passed_on as (
    select pass_on(settled::notice, settled.channel || ' failed', $2::text::timestamptz, $4::int8, true) from settled
    where settled.state = 'failed'
), noted as (
    insert into notice_history (notice_id, at, state, why)
    select settled.id, $2::text::timestamptz, settled.state, settled.why from settled join former on former.id = settled.id
    where settled.state <> 'planned' or settled.why is distinct from former.why
)
select jsonb_build_object('settled', (select count(*) from settled), 'passed_on', (select count(*) from passed_on))
