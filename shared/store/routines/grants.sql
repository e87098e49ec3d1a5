-- The role that every function runs as: it owns nothing, and the audit trail it can only add to. Run with every migration,
-- for the tables that came since.
do $$
begin
    if not exists (select from pg_roles where rolname = 'carnet_app') then
        begin
            create role carnet_app nologin;
        exception
            -- Two databases of one server may be set up at once.
            when duplicate_object or unique_violation then null;
        end;
    end if;
    if not pg_has_role(current_user, 'carnet_app', 'member') then
        execute format('grant carnet_app to %I', current_user);
    end if;
    grant usage on schema public to carnet_app;
    grant select, insert, update, delete on all tables in schema public to carnet_app;
    grant usage on all sequences in schema public to carnet_app;
    revoke update, delete, truncate on audit, audit_seal, audit_seal_copy from carnet_app;
    revoke update, delete, truncate on lookup_key from carnet_app;
    revoke insert, update, delete, truncate on policy, routine, _sqlx_migrations from carnet_app;
end $$;
