-- Whether a visit of the patient may be kept, by the actor, from those who act for the patient; none when not.
-- $1 who   $2 patient   $3 practitioner   $4 site
select jsonb_build_object('of_age', coalesce(patient.adult_from <= ($1::jsonb ->> 'at')::timestamptz, false))
from patient
where patient.id = $2::uuid
  and may($1::jsonb, 'secrecy', 'update', patient.id, $3::uuid,
          (select site.establishment_id from site where site.id = $4::uuid))
