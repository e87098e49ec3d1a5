-- Where the browsers of an account are reached (web push, RFC 8030).

create table push_subscription (
    id uuid constraint push_subscription_pkey primary key,
    account_id uuid not null constraint push_subscription_account references account (id),
    -- The sign-in that made it. It ends when somebody ends that one, and is forgotten with it.
    session_id uuid not null constraint push_subscription_session references session (id) on delete cascade,
    -- Keyed hash of the address: a browser has one, whoever is signed in there.
    endpoint_lookup text not null constraint push_subscription_endpoint unique,
    -- Address, keys and what its owner calls it, sealed with the account's key.
    sealed text not null,
    created_at timestamptz not null
);
create index push_subscription_of_account on push_subscription (account_id, created_at, id);
create index push_subscription_of_session on push_subscription (session_id);

-- Whoever ends a session, and by whatever statement, ends what its browser is told. Who goes on in another session by a second
-- factor takes it along before.
create function end_push() returns trigger language plpgsql as $$
begin
    delete from push_subscription where session_id = new.id;
    return null;
end $$;
create trigger session_ends_push after update of revoked_at on session
    for each row when (old.revoked_at is null and new.revoked_at is not null) execute function end_push();
