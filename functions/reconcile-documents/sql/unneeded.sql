-- Which of some bytes in the store nobody needs: unknown here, or to be removed.
-- $1 keys
select jsonb_build_object('unneeded', coalesce(jsonb_agg(listed.key), '[]'))
from unnest($1::text[]) as listed (key)
left join document_object o on o.key = listed.key
where o.key is null or o.state = 'deleted'
