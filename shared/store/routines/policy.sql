-- Makes the table `policy` say what the code says; nothing is written when it does already.
-- $1 [[role, resource, action, relation], …]
with said as (
    select rule ->> 0 as role, rule ->> 1 as resource, rule ->> 2 as action, rule ->> 3 as relation
    from jsonb_array_elements($1::jsonb) rule
), dropped as (
    delete from policy where (role, resource, action, relation) not in (select role, resource, action, relation from said)
)
insert into policy select * from said on conflict on constraint policy_pkey do nothing
