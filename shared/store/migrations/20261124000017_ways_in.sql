-- When the last letter of a kind went to an address: once the link in it has died, another may follow.
alter table letter_allowance add column last_at timestamptz;

-- Nobody counts in the table `attempt` any more (`sign_in_attempt` does); it goes in a later release, after its last reader.
