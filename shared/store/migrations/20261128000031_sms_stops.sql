-- Which number an account has shown to be its holder's, and at which numbers STOP was answered: what is answered from a number is
-- of whose it is now, and of nobody who had it before.

-- Keyed hash of the number, as `phone_code` has it. Null: none was shown, or an earlier release let it be shown.
alter table account add column phone_lookup text;
update account set phone_lookup = coalesce(
    (select code.phone_lookup from phone_code code
     where code.account_id = account.id and code.used_at = account.phone_verified_at limit 1),
    (select n.to_lookup from notice n
     where n.recipient_id = account.id and n.to_lookup is not null and n.settled_at >= account.phone_verified_at
     order by n.settled_at desc limit 1))
where phone_verified_at is not null;
create index account_phone_lookup on account (phone_lookup) where phone_lookup is not null;

-- Numbers at which somebody answered STOP to a message of ours. Every account that has the number is stopped with it
-- (`notice_preference.sms_stopped_at` is this `stopped_at`), and no longer once it has left the number.
create table sms_stop (
    phone_lookup text constraint sms_stop_pkey primary key,
    stopped_at timestamptz not null
);

-- Messages to former numbers are nobody's to answer.
update notice n set to_lookup = null from account a
where a.id = n.recipient_id and n.to_lookup is not null and n.to_lookup is distinct from a.phone_lookup;

-- Whoever takes a number from an account, and by whatever statement, takes with it what hangs on the number. The first is of the row
-- itself; the other waits for the statement, which may change the same rows.
create function leave_number() returns trigger language plpgsql as $$
begin
    new.phone_lookup := null;
    return new;
end $$;
create trigger account_leaves_number before update of phone_verified_at on account
    for each row when (old.phone_verified_at is not null and new.phone_verified_at is null) execute function leave_number();

create function forget_number() returns trigger language plpgsql as $$
begin
    update notice set to_lookup = null where recipient_id = new.id and recipient_kind = 'account' and to_lookup is not null;
    update notice_preference p set sms_stopped_at = null from sms_stop
    where p.account_id = new.id and sms_stop.phone_lookup = old.phone_lookup and p.sms_stopped_at = sms_stop.stopped_at;
    -- Where nobody has the number any more there is nothing to stop.
    delete from sms_stop
    where phone_lookup = old.phone_lookup and not exists (select from account where account.phone_lookup = old.phone_lookup);
    return null;
end $$;
create trigger account_forgets_number after update of phone_verified_at on account
    for each row when (old.phone_verified_at is not null and new.phone_verified_at is null) execute function forget_number();
