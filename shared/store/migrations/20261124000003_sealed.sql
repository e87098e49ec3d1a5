-- What tells who somebody is no longer stands here in clear: it is sealed with a key of the person's own, and found by keyed
-- hashes. The clear columns are emptied by the first start of a release that knows the keys, and dropped by a later one.

alter table account alter column email drop not null;
alter table account drop column email_key;
alter table account add column wrapped_key text;
-- {email, phone}, sealed.
alter table account add column contact text;
alter table account add column email_lookup text;
-- Until the link that was mailed comes back, an address is only claimed, and any number of people may claim it: so a sign-up
-- need not tell whether somebody has it.
create unique index account_verified_email on account (email_lookup)
    where email_verified_at is not null and state <> 'closed';
create index account_email_lookup on account (email_lookup, created_at);

alter table patient alter column given_name drop not null;
alter table patient alter column family_name drop not null;
alter table patient alter column birth_date drop not null;
-- Null once it was destroyed: what it sealed is erased, here and in every backup.
alter table patient alter column wrapped_key drop not null;
-- {given_name, family_name, birth_date}, sealed.
alter table patient add column identity text;
-- Keyed hash of the folded names and the birth date: the same child added twice is one child.
alter table patient add column twin_lookup text;
