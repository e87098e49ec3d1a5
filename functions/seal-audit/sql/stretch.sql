-- What the next seal has to say, if there is anything to seal.
-- $1 how many rows at most
select stretch from audit_stretch($1::int8) as stretch where stretch is not null
