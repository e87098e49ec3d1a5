-- Keeps the same password under a hash of the present parameters, as long as it still is that password.
-- $1 who   $2 account   $3 the hash it matched   $4 its hash now
with kept as (
    update account set password_hash = $4::text where id = $2::uuid and password_hash = $3::text returning id
), recorded as (
    insert into trace
    select line.* from kept, entry($1::jsonb || jsonb_build_object('account', kept.id), 'update', 'account.password.rehash', kept.id, null) as line
)
select jsonb_build_object('id', id) from kept
