-- Counts of notices by month, kind and channel, of the agendas that the actor works for; for an administrator, of the establishment.
-- Nobody is in them, and no patient's block changes them: that the role may read them was asked at the edge.
-- $1 who   $2 from   $3 until
with counted as (
    select to_char(n.planned_at at time zone 'Europe/Paris', 'YYYY-MM') as month, n.kind, n.channel, n.state, n.segments, n.cost_microeur
    from notice n left join appointment a on a.id = n.appointment_id
    where n.establishment_id = ($1::jsonb ->> 'establishment')::uuid
      and ($2::text is null or n.planned_at >= $2::text::timestamptz) and ($3::text is null or n.planned_at < $3::text::timestamptz)
      and ($1::jsonb ->> 'role' = 'administrator'
           or a.practitioner_id = any (attached_to($1::jsonb) || ($1::jsonb ->> 'practitioner')::uuid))
)
select jsonb_build_object('month', month, 'kind', kind, 'channel', channel,
    'planned', count(*) filter (where state = 'planned'), 'sent', count(*) filter (where state = 'sent'),
    'delivered', count(*) filter (where state = 'delivered'), 'read', count(*) filter (where state = 'read'),
    'skipped', count(*) filter (where state = 'skipped'), 'failed', count(*) filter (where state = 'failed'),
    'segments', coalesce(sum(segments), 0), 'cost_microeur', coalesce(sum(cost_microeur), 0))
from counted group by month, kind, channel order by month, kind, channel
