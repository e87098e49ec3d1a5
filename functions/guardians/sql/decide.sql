-- An operator's decision on a claim, or on a dispute. What is refused has ended by the next request.
-- $1 who   $2 which guardianship   $3 {state, court_ordered, until, rights, given_at (of the proof that was looked at, if said)}
with wish as (
    select w.* from jsonb_to_record($3::jsonb) as w (state text, court_ordered boolean, until timestamptz, rights text[], given_at timestamptz)
), former as (
    select state from guardianship where id = $2::uuid
), decided as (
    update guardianship set state = wish.state, court_ordered = wish.court_ordered,
        until = case when wish.court_ordered then wish.until else guardianship.until end,
        rights = coalesce(wish.rights, guardianship.rights),
        decided_by = ($1::jsonb ->> 'account')::uuid, decided_at = ($1::jsonb ->> 'at')::timestamptz
    from wish
    where guardianship.id = $2::uuid and (guardianship.relation <> 'self' or guardianship.invited_by is not null)
      -- Not on another proof than the one that was looked at.
      and (wish.given_at is null or guardianship.proof_given_at = wish.given_at)
      -- Nobody decides on a claim of their own.
      and guardianship.account_id <> ($1::jsonb ->> 'account')::uuid
      and may($1::jsonb, 'guardianship-proof', 'update', guardianship.patient_id, null, null)
    returning guardianship.*
), at_version as (
    update patient set guardians_version = guardians_version + 1 from decided where patient.id = decided.patient_id
), withdrawn as (
    delete from invitation using decided
    where decided.state = 'refused' and invitation.invited_by = decided.account_id
      and invitation.patient_id = decided.patient_id and accepted_at is null
), recorded as (
    insert into trace
    select line.* from decided, former, entry($1::jsonb, 'update', 'guardianship.decide', decided.id, decided.patient_id,
        change(decided.patient_id, 'state', former.state, decided.state)) as line
)
select guardian_document(decided::guardianship, $1::jsonb) from decided
