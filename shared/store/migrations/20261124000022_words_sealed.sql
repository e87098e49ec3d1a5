-- What people write about each other is sealed like what they write about themselves: how colleagues call a member, and why
-- an operator decided on a claim. Each has a key of its own, which goes with the row. What an earlier release wrote in clear
-- stays readable until the gateway seals it.
alter table invitation add column name_key text;
alter table invitation add column sealed_name text;
-- The name that an invitation gave stays sealed for that invitation: its id.
alter table membership add column name_owner uuid constraint membership_name_owner_key unique;
alter table membership add column name_key text;
alter table membership add column sealed_name text;
alter table professional add column reason_key text;
alter table professional add column sealed_reason text;

-- An identity of a provider is only ever looked up: a keyed hash does for that.
alter table external_identity add column subject_lookup text;
alter table external_identity drop constraint external_identity_pkey;
alter table external_identity drop constraint external_identity_one_each;
alter table external_identity add constraint external_identity_pkey primary key (account_id, provider);
alter table external_identity alter column subject drop not null;
alter table external_identity add constraint external_identity_subject_key unique (provider, subject_lookup);
alter table external_identity add constraint external_identity_subject_given check (num_nonnulls(subject, subject_lookup) = 1);
create unique index external_identity_clear on external_identity (provider, subject) where subject is not null;
