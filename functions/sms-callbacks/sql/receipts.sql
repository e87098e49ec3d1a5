-- What became of text messages. The furthest state stays: what was delivered did not fail. What failed is planned for the next channel.
-- $1 now   $2 [{provider, reference, state, why}]   $3 how long a letter takes, in minutes
with told as (
    select * from jsonb_to_recordset($2::jsonb) as t (provider text, reference text, state text, why text)
), changed as (
    update notice n set state = told.state, why = told.why from told
    where n.provider = told.provider and n.reference = told.reference and n.channel = 'sms'
      and (n.state = 'sent' or (n.state = 'failed' and told.state = 'delivered'))
    returning n.*
), passed_on as (
    select pass_on(changed::notice, 'sms failed', $1::text::timestamptz, $3::int8, true) from changed where changed.state = 'failed'
), noted as (
    insert into notice_history (notice_id, at, state, why) select id, $1::text::timestamptz, state, why from changed
)
select jsonb_build_object('changed', (select count(*) from changed), 'passed_on', (select count(*) from passed_on))
