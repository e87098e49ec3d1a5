-- Patients whose names stand in clear. $1 after   $2 how many
select jsonb_build_object('id', id, 'wrapped_key', wrapped_key, 'given_name', given_name, 'family_name', family_name,
                          'birth_date', birth_date)
from patient where given_name is not null and wrapped_key is not null and id > $1 order by id limit $2
