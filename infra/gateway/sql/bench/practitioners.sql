-- $1 the run. Online practitioners in an order of the run's own, each with the reason that fills its grid, whose slots
-- never overlap. Last the time kept free around an appointment, in seconds, and the version of the rules.
select p.id, r.id, r.buffer_before_minutes * 60::bigint, r.buffer_after_minutes * 60::bigint, p.agenda_version
from practitioner p join reason r on r.practitioner_id = p.id and r.position = 0 and r.bookable
where p.online and p.rpps like '9990%'
order by md5($1::text || p.id::text)
