-- Leases a block of what a key may still spend in one window, or what is left of it. A window that is past begins anew; one
-- that an instance with a faster clock has begun already is spent from.
-- $1 keyed hash   $2 window, counted from the epoch   $3 quota   $4 size of a block
with leased as (
    insert into rate_window as w (key, began, leased, granted)
    values ($1::text, $2::int8, least($4::int8, $3::int8), least($4::int8, $3::int8))
    on conflict on constraint rate_window_pkey do update set
        leased = case when w.began < excluded.began then 0 else w.leased end
            + least($4::int8, $3::int8 - case when w.began < excluded.began then 0 else w.leased end),
        granted = least($4::int8, $3::int8 - case when w.began < excluded.began then 0 else w.leased end),
        began = greatest(w.began, excluded.began)
    where w.began < excluded.began or w.leased < $3::int8
    returning w.leased, w.granted
)
select jsonb_build_object('granted', coalesce(max(granted), 0), 'left', greatest($3::int8 - coalesce(max(leased), $3::int8), 0))
from leased
