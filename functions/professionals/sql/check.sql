-- What the directory says of a number, beside what the actor's own file says.
-- $1 who   $2 RPPS   $3 code of the profession
select jsonb_build_object('practitioner', practitioner.id,
    'given_name', practitioner.given_name, 'family_name', practitioner.family_name,
    'me', person_of_account(($1::jsonb ->> 'account')::uuid),
    'profession_matches', exists (
        select from practitioner_specialty where practitioner_id = practitioner.id and specialty_code = $3::text))
from practitioner
where practitioner.rpps = $2::text and practitioner.active
  and may($1::jsonb, 'professional', 'create', null, null, null)
