-- Roles belong to the whole cluster, so another database may have made them
-- already.  They cannot log in: an installer grants them to users who can.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['setter_worker', 'setter_system'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = name);

        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- made by another database's migration in this moment
        END;
    END LOOP;
END
$$;

-- The owner may act as the system (SET ROLE): setterctl reads the record that
-- way.  Where another made the role, its maker may have to grant it, unless
-- that was done before.
DO $$
BEGIN
    SET LOCAL ROLE setter_system;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    BEGIN
        EXECUTE format('GRANT setter_system TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE WARNING 'setterctl job, dead and tenant need: '
            'GRANT setter_system TO %', current_user;
    END;
END
$$;
