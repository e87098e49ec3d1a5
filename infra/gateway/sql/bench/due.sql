-- $1 [{account, account_key, contact, patient, patient_key, visit}]   $2 start of the visits   $3 now. People with a visit each, who are
-- awake at any hour. No reservation: nothing is booked here.
with people as (
    select * from jsonb_to_recordset($1) as p (account uuid, account_key text, contact text, patient uuid, patient_key text, visit uuid)
), at_place as (
    select reason.id as reason_id, reason.practitioner_id, practice.site_id
    from reason join practice on practice.practitioner_id = reason.practitioner_id
    order by reason.id, practice.site_id limit 1
), accounts as (
    insert into account (id, password_hash, created_at, wrapped_key, contact)
    select account, 'none', $3::text::timestamptz, account_key, contact from people
), wishes as (
    insert into notice_preference (account_id, wishes, updated_at)
    select account, '{"night": null}', $3::text::timestamptz from people
), resources as (
    insert into resource (id, kind) select patient, 'patient' from people
), patients as (
    insert into patient (id, wrapped_key, created_at) select patient, patient_key, $3::text::timestamptz from people
), ties as (
    insert into guardianship (account_id, patient_id, relation, since)
    select account, patient, 'self', $3::text::timestamptz from people
)
insert into appointment (id, practitioner_id, patient_id, site_id, reason_id, channel, starts_at, ends_at, status, created_at, agreed_at)
select visit, practitioner_id, patient, site_id, reason_id, 'in_person', $2::text::timestamptz, $2::text::timestamptz + interval '15 min',
       'booked', $3::text::timestamptz - interval '30 days', $3::text::timestamptz - interval '30 days'
from people, at_place
