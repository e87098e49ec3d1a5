-- Writes down how sendings ended, where the lease is still ours. 'planned' gives one back for another try. What failed is planned
-- for the next channel of its recipient, a letter after the last one, if there is time for it; what was tried in vain for long is
-- too, if another channel is there. A row that a receipt was quicker with stays as that says: only what the sender knows is added.
-- $1 lease   $2 now   $3 [{id, state, why, send_at, deferred, counted, elsewhere, told_in, provider, reference, segments,
-- cost_microeur, to_lookup}]   $4 how long a letter takes, in minutes
with given as (
    select * from jsonb_to_recordset($3::jsonb) as g (id uuid, state text, why text, send_at timestamptz, deferred boolean,
        counted boolean, elsewhere boolean, told_in uuid, provider text, reference text, segments integer, cost_microeur bigint,
        to_lookup text)
), former as (
    select id, why from notice where id in (select id from given)
), passed_early as (
    select n.id, pass_on(n, n.channel || ' away', $2::text::timestamptz, $4::int8, false) as done
    from given join notice n on n.id = given.id and n.lease = $1::uuid and n.state = 'planned'
    where given.state = 'planned' and given.elsewhere
), ended as (
    select given.*, coalesce(passed_early.done, false) as away from given left join passed_early on passed_early.id = given.id
), settled as (
    update notice n set state = case when n.state <> 'planned' then n.state when ended.away then 'failed' else ended.state end,
        -- One that is given back untried waits for the reason that it waited for.
        why = case when n.state <> 'planned' then n.why when ended.state = 'planned' then coalesce(ended.why, n.why) else ended.why end,
        lease = null, lease_until = null,
        send_at = coalesce(ended.send_at, n.send_at), attempts = n.attempts - case when ended.deferred then 1 else 0 end,
        trying_since = case when ended.state = 'planned' and ended.deferred then n.trying_since
            when ended.state = 'planned' then coalesce(n.trying_since, $2::text::timestamptz) end,
        settled_at = case when n.state <> 'planned' then n.settled_at
            when ended.state = 'planned' and not ended.away then null else $2::text::timestamptz end,
        counted = ended.counted, told_in = coalesce(ended.told_in, case when n.state <> 'planned' then n.told_in end),
        provider = coalesce(ended.provider, case when n.state <> 'planned' then n.provider end),
        reference = coalesce(ended.reference, case when n.state <> 'planned' then n.reference end),
        -- What an earlier try cost was paid too.
        segments = coalesce(n.segments + ended.segments, ended.segments, n.segments),
        cost_microeur = coalesce(n.cost_microeur + ended.cost_microeur, ended.cost_microeur, n.cost_microeur),
        to_lookup = coalesce(ended.to_lookup, case when n.state <> 'planned' then n.to_lookup end)
    from ended
    where n.id = ended.id and n.lease = $1::uuid
    returning n.*, ended.away, n.state <> case when ended.away then 'failed' else ended.state end as told_before
), passed_on as (
    select pass_on((select n from notice n where n.id = settled.id), settled.channel || ' failed', $2::text::timestamptz, $4::int8, true)
    from settled where settled.state = 'failed' and not settled.away and not settled.told_before
), noted as (
    insert into notice_history (notice_id, at, state, why)
    select settled.id, $2::text::timestamptz, settled.state, settled.why from settled join former on former.id = settled.id
    where not settled.told_before and (settled.state <> 'planned' or settled.why is distinct from former.why)
)
select jsonb_build_object('settled', (select count(*) from settled), 'passed_on', (select count(*) from passed_on))
