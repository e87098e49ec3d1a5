-- Takes a lease on the notices of an event that are still to be sent, with all that is needed to write them.
-- $1 event   $2 lease   $3 now   $4 lease until
with due as (
    select id from notice
    where event_id = $1::uuid and state = 'planned' and (lease_until is null or lease_until <= $3::text::timestamptz)
    order by id
    for update skip locked
), claimed as (
    update notice set lease = $2::uuid, lease_until = $4::text::timestamptz, attempts = attempts + 1
    from due where notice.id = due.id
    returning notice.*
)
select jsonb_build_object(
    'id', claimed.id, 'kind', claimed.kind, 'recipient_kind', claimed.recipient_kind,
    'told', jsonb_build_object('version', claimed.version, 'starts_at', claimed.starts_at, 'ends_at', claimed.ends_at),
    'still_theirs', claimed.recipient_kind = 'account' or appointment.practitioner_id = claimed.recipient_id,
    'address', practitioner.email, 'recipient', claimed.recipient_id,
    -- None for whom it is not, or no longer, to be told.
    'contact', (
        select account.contact from guardianship g
        where not of_another(account) and g.account_id = account.id and g.patient_id = appointment.patient_id and in_force(g, $3::text::timestamptz)
          and (g.relation = 'self' or 'notices' = any (g.rights))
          and (appointment.secret_since is null or surely_oneself(g, $3::text::timestamptz))),
    'wrapped_key', account.wrapped_key, 'language', coalesce(account.language, 'fr'),
    'appointment', appointment_document(appointment))
from claimed
join appointment on appointment.id = claimed.appointment_id
left join account on claimed.recipient_kind = 'account' and account.id = claimed.recipient_id
left join practitioner on claimed.recipient_kind = 'practitioner' and practitioner.id = claimed.recipient_id
