-- Notes that one of the two addresses agrees to the change, and makes it when that is all it waited for.
-- $1 who   $2 link   $3 what it is for
with agreed as (
    update account_link link set used_at = coalesce(link.used_at, ($1::jsonb ->> 'at')::timestamptz)
    from email_change change
    where link.id = $2::uuid and link.purpose = $3::text and link.account_id = ($1::jsonb ->> 'account')::uuid
      and link.expires_at > ($1::jsonb ->> 'at')::timestamptz
      and change.id = link.email_change_id and change.state = 'asked'
    returning change.id, case when link.purpose = 'change-email' then ($1::jsonb ->> 'at')::timestamptz end as by_new,
              case when link.purpose = 'leave-email' then ($1::jsonb ->> 'at')::timestamptz end as by_old
), noted as (
    -- Worked out on the row as it is once it is ours: the two addresses may agree at once.
    update email_change change set
        new_confirmed_at = coalesce(change.new_confirmed_at, agreed.by_new),
        old_confirmed_at = coalesce(change.old_confirmed_at, agreed.by_old),
        state = case when coalesce(change.new_confirmed_at, agreed.by_new) is not null
                      and (coalesce(change.old_confirmed_at, agreed.by_old) is not null
                           or change.ripe_at <= ($1::jsonb ->> 'at')::timestamptz)
                     then 'done' else 'asked' end,
        settled_at = case when coalesce(change.new_confirmed_at, agreed.by_new) is not null
                           and (coalesce(change.old_confirmed_at, agreed.by_old) is not null
                                or change.ripe_at <= ($1::jsonb ->> 'at')::timestamptz)
                          then ($1::jsonb ->> 'at')::timestamptz end
    from agreed where change.id = agreed.id and change.state = 'asked'
    returning change.*
), changed as (
    update account set contact = noted.contact, email_lookup = noted.email_lookup,
                       email_verified_at = ($1::jsonb ->> 'at')::timestamptz
    from noted where account.id = noted.account_id and account.state = 'active' and noted.state = 'done'
    returning account.id, noted.id as change_id
), told as (
    insert into outbox (kind, subject, data, occurred_at)
    select 'account.secured.v1', id, jsonb_build_object('account', id, 'what', 'email-changed', 'email_change', change_id),
           ($1::jsonb ->> 'at')::timestamptz
    from changed
), recorded as (
    insert into trace
    select line.* from noted, entry($1::jsonb, 'update',
        case noted.state when 'done' then 'account.email-change.done' else 'account.email-change.confirm' end,
        noted.account_id, null) as line
)
select jsonb_build_object(
    'done', state = 'done', 'confirmed_by_new', new_confirmed_at is not null, 'confirmed_by_old', old_confirmed_at is not null,
    'unopposed_from', ripe_at)
from noted
