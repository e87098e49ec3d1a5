-- Opens an upload: see the function's definition.
-- $1 who   $2 {id, new, patient, …}
select open_upload($1::jsonb, $2::jsonb)
