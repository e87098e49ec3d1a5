-- What the directory says of a number, beside what the actor's own file says.
-- $1 who   $2 RPPS   $3 code of the profession
select jsonb_build_object('practitioner', practitioner.id,
    'name_matches', coalesce(fold(mine.family_name) = fold(practitioner.family_name)
                             and fold(mine.given_name) = fold(practitioner.given_name), false),
    'profession_matches', exists (
        select from practitioner_specialty where practitioner_id = practitioner.id and specialty_code = $3::text))
from practitioner
left join (guardianship own join patient mine on mine.id = own.patient_id)
    on own.account_id = ($1::jsonb ->> 'account')::uuid and own.relation = 'self'
where practitioner.rpps = $2::text and practitioner.active
  and may($1::jsonb, 'professional', 'create', null, null, null)
