-- How the actor wants to be told, and by what they can be reached.
-- $1 who
select jsonb_build_object('wishes', coalesce(p.wishes, '{}'), 'sms_stopped', p.sms_stopped_at is not null,
    'reachable_by', channels_of(account, null))
from account left join notice_preference p on p.account_id = account.id
where account.id = ($1::jsonb ->> 'account')::uuid
