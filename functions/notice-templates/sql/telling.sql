-- A word of some words that would tell what somebody comes for: a label of a reason of the house, or what people call one of its
-- specialties; if there is one.
-- $1 who   $2 subject   $3 body
with here as (
    select distinct practice.practitioner_id from practice join site on site.id = practice.site_id
    where site.establishment_id = ($1::jsonb ->> 'establishment')::uuid
), label as (
    select lower(unnest(array[reason.label_fr, reason.label_en])) as label
    from here join reason on reason.practitioner_id = here.practitioner_id
    union
    select lower(unnest(array[specialty.label_fr, specialty.label_en] || specialty.words))
    from here join practitioner_specialty of on of.practitioner_id = here.practitioner_id
    join specialty on specialty.code = of.specialty_code
), stands as (
    select 'subject' as field, label from label where length(label) > 3 and position(label in lower($2::text)) > 0
    union all
    select 'body', label from label where length(label) > 3 and position(label in lower($3::text)) > 0
)
select jsonb_build_object('field', field, 'label', label) from stands order by field desc, label limit 1
