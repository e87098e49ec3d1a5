-- A word of some words that would tell what somebody comes for: a label of a reason of the house, or what people call one of its
-- specialties; if there is one. Whole words are compared, however short ('ORL') and however they are written: without case and accents,
-- and without what stands between words, in an abbreviation or for a plural. Names in braces are no words.
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
), text as (
    select 'label' as field, label, label as words from label
    union all
    select field, null, regexp_replace(words, '[{]{2}[^}]*[}]{2}', ' ', 'g')
    from (values ('subject', $2::text), ('body', $3::text)) as given (field, words)
), plain as (
    select field, label, ' ' || trim(regexp_replace(regexp_replace(
        fold(regexp_replace(words, '\m([[:alnum:]])[.]\s*(?=[[:alnum:]]\M)', '\1', 'g')),
        '[^[:alnum:]]+', ' ', 'g'), '([[:alnum:]]{3})[sx]+( |$)', '\1\2', 'g')) || ' ' as words
    from text
)
select jsonb_build_object('field', text.field, 'label', label.label)
from plain label join plain text on text.field <> 'label' and position(label.words in text.words) > 0
where label.field = 'label' and trim(label.words) <> ''
order by text.field desc, label.label limit 1
