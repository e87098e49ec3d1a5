-- The actor's identity of a provider.
-- $1 who   $2 provider
with mine as (
    select account_id, linked_at, used_at from external_identity
    where account_id = ($1::jsonb ->> 'account')::uuid and provider = $2::text
), recorded as (
    insert into trace select line.* from mine, entry($1::jsonb, 'read', 'identity.read', account_id, null) as line
)
select jsonb_build_object('linked_at', linked_at, 'used_at', used_at) from mine
