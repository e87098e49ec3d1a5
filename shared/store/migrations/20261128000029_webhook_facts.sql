-- What partners' programs are told follows from the events alone, a slow address takes one place, a secret in use is never cut
-- off, and what happens now goes before what is sent again. (`webhook_places` stays for the release before, and goes with the next.)

alter table webhook
    -- Its last answer took long: it gets one try at a time.
    add column slow boolean not null default false,
    -- Former secrets before `former_secret` that still sign: [{secret, until}, …], sealed as it is.
    add column older_secrets jsonb not null default '[]';

create index webhook_delivery_turn on webhook_delivery (webhook_id, (replays > 0), next_attempt_at, ordinal) where state = 'waiting';
