-- Writes down how the actor wants to be told.
-- $1 who   $2 wishes   $3 whether text messages are stopped, or null to leave that
with kept as (
    insert into notice_preference (account_id, wishes, sms_stopped_at, updated_at)
    select account.id, $2::jsonb, case when $3::bool then ($1::jsonb ->> 'at')::timestamptz end, ($1::jsonb ->> 'at')::timestamptz
    from account where account.id = ($1::jsonb ->> 'account')::uuid
    on conflict on constraint notice_preference_pkey do update set wishes = excluded.wishes, updated_at = excluded.updated_at,
        sms_stopped_at = case when $3::bool is null then notice_preference.sms_stopped_at
            when $3::bool then coalesce(notice_preference.sms_stopped_at, excluded.sms_stopped_at) end
    returning *
), recorded as (
    insert into trace
    select line.* from kept, entry($1::jsonb, 'update', 'account.notice-preferences', kept.account_id, null) as line
)
-- What was written is not seen by functions of the same statement: channels are told as wished, of those that lead somewhere.
select jsonb_build_object('wishes', kept.wishes, 'sms_stopped', kept.sms_stopped_at is not null, 'reachable_by',
    (select coalesce(jsonb_agg(channel order by place), '[]')
     from jsonb_array_elements_text(kept.wishes -> 'channels') with ordinality as wanted (channel, place)
     where reaches(account, channel, kept.sms_stopped_at is not null)))
from kept join account on account.id = kept.account_id
