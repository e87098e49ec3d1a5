-- Takes a lease on the notices of a document that are still to be sent, with all that is needed to write them.
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
    'id', claimed.id, 'document', d.id, 'recipient', claimed.recipient_id, 'address', practitioner.email,
    -- Decided again: much may have been hidden, or ended, since it was planned.
    'still_theirs', d.withdrawn_at is null and d.purged_at is null and case claimed.recipient_kind
        when 'account' then exists (select from guardianship g where g.account_id = account.id and g.patient_id = d.patient_id
            and not of_another(account) and document_concerns(d, g, $3::text::timestamptz))
        else document_concerns_practitioner(d, claimed.recipient_id, $3::text::timestamptz) end,
    'contact', account.contact, 'wrapped_key', account.wrapped_key, 'language', coalesce(account.language, 'fr'))
from claimed
join document d on d.id = claimed.document_id
left join account on claimed.recipient_kind = 'account' and account.id = claimed.recipient_id
left join practitioner on claimed.recipient_kind = 'practitioner' and practitioner.id = claimed.recipient_id
