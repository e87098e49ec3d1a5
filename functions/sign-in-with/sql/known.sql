-- Whether an identity has an account already: a new one takes the work of preparing it.
-- $1 provider   $2 subject   $3 RPPS   $4 now   $5 keyed hash of the subject
select jsonb_build_object('known',
    exists (select from external_identity
            where provider = $1::text and (subject_lookup = $5::text or subject = $2::text))
    or account_of_professional((select id from practitioner where rpps = $3::text), $4::text::timestamptz) is not null)
