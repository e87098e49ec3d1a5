-- Notices that no channel took, newest first: for an operator, who knows nobody by them. What the next channel tells is not among them.
-- $1 how many at most
select jsonb_build_object('id', id, 'kind', kind, 'channel', channel, 'why', why, 'attempts', attempts, 'planned_at', planned_at,
    'settled_at', settled_at, 'starts_at', starts_at, 'establishment', establishment_id)
from notice n where state = 'failed' and not handed_on(n) order by settled_at desc, id limit $1::int8
