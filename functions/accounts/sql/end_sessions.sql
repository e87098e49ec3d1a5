-- Ends one session of the actor's, or all of them, or all but the one they act in.
-- $1 who   $2 session, null for all   $3 whether the present one stays
with ended as (
    update session set revoked_at = ($1::jsonb ->> 'at')::timestamptz, revoked_why = 'ended from the list'
    where account_id = ($1::jsonb ->> 'account')::uuid and revoked_at is null
      and ($2::uuid is null or id = $2::uuid)
      and not ($3::bool and id = ($1::jsonb ->> 'session')::uuid)
    returning id
), recorded as (
    insert into trace select line.* from ended, entry($1::jsonb, 'delete', 'session.end', ended.id, null) as line
)
select jsonb_build_object('ended', count(*)) from ended
