-- $1 [{id, url, key, secret}]   $2 now   $3 how many events for each. Webhooks of an establishment, and what is due to them.
with given as (
    select * from jsonb_to_recordset($1) as g (id uuid, url text, key text, secret text)
), webhooks as (
    insert into webhook (id, establishment_id, url, description, events, state, wrapped_key, secret, created_by, created_at, since)
    select given.id, member.establishment_id, url, '', array['appointment.booked.v1'], 'active', key, secret, member.account_id,
           $2::text::timestamptz, $2::text::timestamptz
    from given, (select establishment_id, account_id from membership where role = 'administrator' limit 1) member
    returning id
)
insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at, expires_at, planned_at)
select gen_random_uuid(), id, gen_random_uuid(), 'appointment.booked.v1', gen_random_uuid(), n, '{}', $2::text::timestamptz,
       $2::text::timestamptz, $2::text::timestamptz + interval '3 days', $2::text::timestamptz
from webhooks, generate_series(1, $3) n
