-- What the next seal has to say, if there is anything to seal.
-- $1 how many rows at most   $2 now
select stretch from audit_stretch($1::int8, $2::text::timestamptz) as stretch where stretch is not null
