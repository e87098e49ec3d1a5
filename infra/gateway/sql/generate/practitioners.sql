-- $1 first and $2 last index, $3 towns [[name, postal code, lat, lon]] with Lyon first and Paris second, $4 now.
-- One block of practitioners: four share a site, sites are spread over the towns with a tenth each around Lyon and Paris.
-- Returns the indexes that were not there yet.
with town as (
    select ord - 1 as n, t ->> 0 as name, t ->> 1 as postal_code, (t ->> 2)::float8 as lat, (t ->> 3)::float8 as lon
    from jsonb_array_elements($3) with ordinality as towns (t, ord)
), code as (
    select row_number() over (order by code) - 1 as n, code from specialty
), person as materialized (
    select i, i / 4 as s,
        pg_temp.seed_id('practitioner', timestamptz '2025-01-01 00:00Z' + i * interval '1 s', i::text) as id,
        pg_temp.seed_id('site', timestamptz '2024-01-01 00:00Z' + (i / 4) * interval '1 s', (i / 4)::text) as site_id,
        '9990' || (100000 + i) as body,
        (array[15, 20, 20, 20, 30, 30, 30, 30, 45, 45])[1 + abs(hashint8extended(i, 1)) % 10] as step,
        (select code.code from code where code.n = abs(hashint8extended(i, 2)) % (select count(*) from code)) as code
    from generate_series($1::bigint, $2::bigint) as i
), resources as (
    insert into resource (id, kind) select id, 'practitioner' from person on conflict do nothing
), practitioners as (
    insert into practitioner (id, rpps, title, given_name, family_name, languages, email, phone, online, updated_at)
    select id,
        -- The Luhn key: every second digit from the right is doubled and its digits added.
        body || (10 - (select sum(case when place % 2 = 0 then (2 * digit) / 10 + (2 * digit) % 10 else digit end)
            from generate_series(0, 9) as place, lateral (select substr(body, 10 - place, 1)::integer as digit) as d) % 10) % 10,
        case when code like 'SM%' then 'Dr' else '' end,
        (array['Adèle','Amina','Arthur','Baptiste','Bilal','Camille','Chloé','Dinh','Elsa','Enora','Fanny','Gabin',
            'Hawa','Hugo','Ilona','Jade','Joris','Kenza','Léonie','Loïc','Lucas','Maël','Malika','Manon','Nathan','Nina',
            'Oriane','Pablo','Quentin','Rania','Rose','Sacha','Salomé','Tanguy','Théo','Victor','Yanis','Zélie'])
            [1 + abs(hashint8extended(i, 3)) % 38],
        (array['Abgrallou','Amraniou','Barbolet','Beaufrère','Belkacimi','Bourdaloux','Caradecq','Chassagnard','Cissokhon',
            'Colombani-Rey','Coulibaleix','Dargenton','Delaunoy','Desmoulières','Dufayel','Escoffion','Fabregoule','Garnaudet',
            'Grandhomme-Lys','Guérinot','Haddadène','Hoffstetter','Jaouannec','Kermarrou','Kowalinski','Lacombette','Lefauret',
            'Lesquivit','Mansourane','Marchandeau','Montagnier-Roc','Moreliaux','Nguyenet','Ouvrardon','Peyrolade','Poulainec',
            'Quéméron','Rabeharine','Ribeyrolle','Rouvroyon','Sabatière','Santonja','Schwendler','Tavernault','Thibaudon',
            'Trinhel','Vasseurot','Verdellet','Vigouron','Wasilewicz','Zemmourat'])[1 + abs(hashint8extended(i, 4)) % 51],
        case when i % 5 = 0 then array['fr', 'en'] else array['fr'] end,
        'p' || i || '@mesure.example', '+33639' || lpad((980000 + i % 10000)::text, 6, '0'), true, $4::text::timestamptz
    from person
    on conflict (id) do nothing
    returning id
), fresh as (
    select person.* from person join practitioners using (id)
), specialties as (
    insert into practitioner_specialty (practitioner_id, specialty_code) select id, code from fresh
), sites as (
    insert into site (id, source_key, name, address_line, postal_code, city, lat, lon, time_zone, holidays, accessibility)
    select distinct on (fresh.site_id) fresh.site_id, 'measure:' || s, 'Cabinet n° ' || s, 1 + s % 90 || ' rue de la Mesure',
        town.postal_code, town.name,
        town.lat + (hashint8extended(s, 5) % 1000) / 1000.0 * 0.04, town.lon + (hashint8extended(s, 6) % 1000) / 1000.0 * 0.06,
        case left(town.postal_code, 3) when '971' then 'America/Guadeloupe' when '972' then 'America/Martinique'
            when '973' then 'America/Cayenne' when '974' then 'Indian/Reunion' when '976' then 'Indian/Mayotte'
            else 'Europe/Paris' end,
        case left(town.postal_code, 3) when '971' then 'guadeloupe' when '972' then 'martinique' when '973' then 'guyane'
            when '974' then 'la-reunion' when '976' then 'mayotte'
            else case when left(town.postal_code, 2) in ('57', '67', '68') then 'alsace-moselle' else 'metropole' end end,
        case s % 3 when 0 then '{step_free,parking}' when 1 then '{lift}' else '{}' end::text[]
    from fresh join town on town.n = case abs(hashint8extended(s, 7)) % 10
        when 0 then 0 when 1 then 1 else abs(hashint8extended(s, 8)) % (select count(*) from town) end
    order by fresh.site_id
    on conflict (id) do nothing
), practices as (
    insert into practice (practitioner_id, site_id) select id, site_id from fresh
), reasons as (
    insert into reason (id, practitioner_id, specialty_code, label_fr, label_en, channel, duration_minutes,
        buffer_after_minutes, step_minutes, notice_minutes, horizon_days, fee_min_cents, fee_max_cents, position)
    select pg_temp.seed_id('reason', timestamptz '2025-01-01 00:00Z' + i * interval '1 s', i || '/' || kind.position),
        id, code, kind.label_fr, kind.label_en, kind.channel, kind.minutes, kind.buffer, step,
        120 * (i % 4), 180 + 60 * (i % 3), 3000, 3000 + 500 * (i % 5), kind.position
    from fresh, lateral (
        select case when i % 4 = 0 and step > 15 then 5 else 0 end as gap
    ) as g, lateral (values
        (0, 'Consultation', 'Visit', 'in_person', step - gap, gap),
        (1, 'Première consultation', 'First visit', 'in_person', 2 * step, 0),
        (2, 'Consultation en vidéo', 'Video visit', 'video', step, 0)
    ) as kind (position, label_fr, label_en, channel, minutes, buffer)
    where kind.position <= i % 3
), openings as (
    -- One to three half-days a week of the ten: what a practice opens to families, not all it works.
    insert into opening (id, practitioner_id, site_id, weekday, starts_minute, ends_minute)
    select pg_temp.seed_id('opening', timestamptz '2025-01-01 00:00Z' + i * interval '1 s', i || '/' || half),
        id, site_id, 1 + half / 2, case half % 2 when 0 then 540 else 840 end, case half % 2 when 0 then 720 else 1050 end
    from (
        select fresh.*, half, row_number() over (partition by i order by hashint8extended(i * 10 + half, 9)) as place
        from fresh, generate_series(0, 9) as half
    ) as choice
    where place <= 1 + i % 3
)
select coalesce(array_agg(i), '{}') from fresh
