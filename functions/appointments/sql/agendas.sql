-- Whose agendas the actor works for, and whose was asked for: names of the public directory.
-- $1 who   $2 practitioner asked for
select jsonb_build_object(
    'yours', (select coalesce(jsonb_agg(name_of_practitioner(practitioner.id) order by sort_name, practitioner.id), '[]') from practitioner
              where practitioner.id = any (attached_to($1::jsonb) || ($1::jsonb ->> 'practitioner')::uuid)),
    'theirs', name_of_practitioner(practitioner.id))
from practitioner where practitioner.id = $2::uuid
