-- Offers a place in an establishment, to whoever has the code. An operator opens an establishment: as long as it has no
-- administrator.
-- $1 who   $2 {id, establishment, code_hash, role, name: sealed, expires_at}   $3 by which right: 'membership' or 'establishment'
with wish as (
    select w.* from jsonb_to_record($2::jsonb) as w (
        id uuid, establishment uuid, code_hash text, role text, name jsonb, expires_at timestamptz)
    join establishment on establishment.id = w.establishment
    where may($1::jsonb, $3::text, 'create', null, null, w.establishment)
), administered as (
    select exists (select from membership m where m.establishment_id = wish.establishment and m.role = 'administrator'
                   and (m.until is null or m.until > ($1::jsonb ->> 'at')::timestamptz)) as already
    from wish
), invited as (
    insert into invitation (id, code_hash, invited_by, created_at, expires_at, establishment_id, role, name_key,
        sealed_name)
    select wish.id, wish.code_hash, ($1::jsonb ->> 'account')::uuid, ($1::jsonb ->> 'at')::timestamptz, wish.expires_at,
           wish.establishment, wish.role, wish.name ->> 'wrapped_key', wish.name ->> 'text'
    from wish, administered where not (administered.already and $1::jsonb ->> 'role' = 'operator')
    returning id
), recorded as (
    insert into trace select line.* from invited, entry($1::jsonb, 'create', 'membership.invite', invited.id, null) as line
)
select jsonb_build_object('invited', exists (select from invited)) from wish
