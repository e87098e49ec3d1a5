-- Ends an attempt whose answer was not believed, and leaves the trace of it.
-- $1 who (nobody)   $2 hash of the ticket   $3 provider   $4 method
with ended as (
    delete from openid_attempt where ticket = $2::text and provider = $3::text returning account_id
), recorded as (
    insert into trace
    select line.* from entry($1::jsonb || jsonb_build_object('account', (select account_id from ended)),
        'execute', 'session.open.' || $4::text, (select account_id from ended), null, null, 'refused') as line
    returning 1
)
select jsonb_build_object('recorded', count(*)) from recorded
