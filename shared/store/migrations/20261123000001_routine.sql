-- Which text of each file of SQL functions (`shared/store/routines`) is defined here.
create table routine (
    name text constraint routine_pkey primary key,
    digest text not null
);
