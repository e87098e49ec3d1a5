-- In what capacities an account may act at an instant, beside as a patient.
create or replace function capacities(of_account uuid, at timestamptz) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_object('role', c.role, 'membership', c.id, 'establishment', c.establishment_id)
                              order by c.since, c.id), '[]')
    from (
        select role, id, establishment_id, since from membership
        where account_id = of_account and not suspended(of_account) and since <= at and (until is null or until > at)
        union all
        select platform_role, null, null, created_at from account where id = of_account and platform_role is not null
    ) c
$$;
