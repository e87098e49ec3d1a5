-- Forgets secrets of webhooks that sign no more.
-- $1 over before   $2 how many webhooks at most
with past as (
    select id from webhook
    where former_until < $1::text::timestamptz
       or exists (select from jsonb_array_elements(older_secrets) older where (older ->> 'until')::timestamptz < $1::text::timestamptz)
    limit $2::int8
    for update skip locked
), purged as (
    update webhook w set
        former_secret = case when w.former_until >= $1::text::timestamptz then w.former_secret end,
        former_until = case when w.former_until >= $1::text::timestamptz then w.former_until end,
        older_secrets = (select coalesce(jsonb_agg(older), '[]') from jsonb_array_elements(w.older_secrets) older
                         where (older ->> 'until')::timestamptz >= $1::text::timestamptz)
    from past where w.id = past.id
    returning 1
)
select jsonb_build_object('purged', count(*)) from purged
