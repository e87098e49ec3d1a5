-- Books or holds, with everything that leaves with it: see the function's definition in `shared/store/routines`.
-- $1 who   $2 the decided wish
select book($1::jsonb, $2::jsonb)
