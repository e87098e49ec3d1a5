-- Counts an attempt, unless as many were made as are allowed in a window that begins with the first of them. One row is
-- locked and judged by its newest state, so that of any number at once exactly that many are allowed.
-- Returns {"allowed": true, "left": …} or {"allowed": false, "retry_after": seconds}.
create or replace function attempt(of_key text, most integer, window_seconds bigint, at timestamptz)
returns jsonb language plpgsql as $$
declare
    counted attempt;
begin
    insert into attempt as a (key, began_at, ends_at, made)
    values (of_key, at, at + make_interval(secs => window_seconds), 1)
    on conflict on constraint attempt_pkey do update set
        made = case when a.ends_at <= at then 1 else a.made + 1 end,
        began_at = case when a.ends_at <= at then at else a.began_at end,
        ends_at = case when a.ends_at <= at then excluded.ends_at else a.ends_at end
    where a.ends_at <= at or a.made < most
    returning * into counted;
    if found then
        return jsonb_build_object('allowed', true, 'left', most - counted.made);
    end if;
    select * into counted from attempt where key = of_key;
    return jsonb_build_object('allowed', false,
        'retry_after', greatest(ceil(extract(epoch from coalesce(counted.ends_at, at) - at)), 1)::bigint);
end $$;
