-- Writes one batch, each person and each place once, and where the run stands. Tells who is new and who changed.
--
-- Identifiers are made from the numbers of the source, so that two imports of one person or place agree on them even
-- where neither sees the other's rows yet. Nothing that is unchanged is written.
-- $1 {people, places, specialties}   $2 run   $3 report so far   $4 now
with turn as materialized (
    -- One batch at a time, whoever imports: two of them would lock the same rows in different orders.
    select from pg_advisory_xact_lock(hashtextextended('import-directory', 0))
), person as materialized (
    select p.*, practitioner.id is null as fresh,
           coalesce(practitioner.id,
               overlay(overlay(md5('practitioner:' || p.rpps) placing '8' from 13) placing '8' from 17)::uuid) as id
    from turn
    cross join jsonb_to_recordset($1::jsonb -> 'people') as p (
        rpps text, named boolean, title text, given_name text, family_name text, phone text, specialties text[], places text[])
    left join practitioner on practitioner.rpps = p.rpps
), place as materialized (
    select p.*, site.id is null as fresh,
           coalesce(site.id, overlay(overlay(md5('site:' || p.key) placing '8' from 13) placing '8' from 17)::uuid) as id
    from turn
    cross join jsonb_to_recordset($1::jsonb -> 'places') as p (
        key text, name text, address_line text, postal_code text, city text, time_zone text, holidays text)
    left join site on site.source_key = p.key
), new_specialty as (
    -- Labels that somebody wrote by hand stay.
    insert into specialty (code, label_fr, label_en, words)
    select s.code, s.label_fr, s.label_en, array[fold(s.label_fr)]
    from turn cross join jsonb_to_recordset($1::jsonb -> 'specialties') as s (code text, label_fr text, label_en text)
    where not exists (select from specialty where specialty.code = s.code)
    on conflict do nothing
), new_site as (
    insert into site (id, source_key, name, address_line, postal_code, city, time_zone, holidays)
    select id, key, name, address_line, postal_code, city, time_zone, holidays from place where fresh
    on conflict do nothing
), changed_site as (
    update site set
        name = place.name, address_line = place.address_line, postal_code = place.postal_code, city = place.city,
        -- Elsewhere than where it was found on the map.
        lat = case when (site.address_line, site.postal_code, site.city)
                      = (place.address_line, place.postal_code, place.city) then site.lat end,
        lon = case when (site.address_line, site.postal_code, site.city)
                      = (place.address_line, place.postal_code, place.city) then site.lon end,
        -- A practice may have set its own, where one postal code is not enough to tell (the Marquesas).
        time_zone = case when site.postal_code = place.postal_code then site.time_zone else place.time_zone end,
        holidays = case when site.postal_code = place.postal_code then site.holidays else place.holidays end
    from place
    where site.id = place.id and not place.fresh
      and (site.name, site.address_line, site.postal_code, site.city)
          is distinct from (place.name, place.address_line, place.postal_code, place.city)
    returning site.source_key
), new_resource as (
    insert into resource (id, kind) select id, 'practitioner' from person where fresh on conflict do nothing
), new_practitioner as (
    insert into practitioner (id, rpps, title, given_name, family_name, phone, updated_at)
    select id, rpps, title, given_name, family_name, phone, $4::text::timestamptz from person where fresh
    on conflict do nothing
    returning rpps
), renamed as (
    update practitioner set
        title = person.title, given_name = person.given_name, family_name = person.family_name,
        updated_at = $4::text::timestamptz
    from person
    where practitioner.id = person.id and person.named and not person.fresh
      and (practitioner.title, practitioner.given_name, practitioner.family_name)
          is distinct from (person.title, person.given_name, person.family_name)
    returning practitioner.rpps
), new_skill as (
    insert into practitioner_specialty (practitioner_id, specialty_code)
    select person.id, code from person cross join unnest(person.specialties) code
    on conflict do nothing
    returning practitioner_id
), new_practice as (
    insert into practice (practitioner_id, site_id)
    select person.id,
           coalesce(site.id, overlay(overlay(md5('site:' || key) placing '8' from 13) placing '8' from 17)::uuid)
    from person cross join unnest(person.places) key left join site on site.source_key = key
    on conflict do nothing
    returning practitioner_id
), changed as (
    select rpps from renamed
    union select rpps from person join new_skill on new_skill.practitioner_id = person.id
    union select rpps from person join new_practice on new_practice.practitioner_id = person.id
    union select rpps from person join changed_site on changed_site.source_key = any (person.places)
    except select rpps from new_practitioner
), reported as (
    update import_run set
        lines = r.lines, created = r.created, updated = r.updated, unchanged = r.unchanged, ignored = r.ignored,
        rejected = r.rejected, warnings = r.warnings
    from jsonb_to_record($3::jsonb) as r (
        lines integer, created integer, updated integer, unchanged integer, ignored integer, rejected integer, warnings integer)
    where import_run.id = $2::uuid
)
select jsonb_build_object(
    'created', coalesce((select jsonb_agg(rpps) from new_practitioner), '[]'),
    'updated', coalesce((select jsonb_agg(rpps) from changed), '[]'))
