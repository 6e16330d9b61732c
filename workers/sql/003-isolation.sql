-- Row-level security: a worker sees and writes the rows of the one tenant
-- that its unit of work has set, and none where it set none.  The system
-- role sees all (reconcile).  It is forced, so the owner sees none either: a
-- later migration that changes rows has to lift it for its transaction.

-- Not forced here: the registry is the owner's to keep.  Which tenants there
-- are is no secret between workers, each of which publishes them.  A worker
-- adds whom a message came for, as seen: who is active is not its to say.
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker_reads ON tenants FOR SELECT TO setter_worker
    USING (true);
CREATE POLICY worker_adds ON tenants FOR INSERT TO setter_worker
    WITH CHECK (slug = current_setting('setter.tenant', true));
CREATE POLICY system_all ON tenants TO setter_system
    USING (true) WITH CHECK (true);

GRANT SELECT (slug, status), INSERT (slug) ON tenants TO setter_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO setter_system;


DO $$
DECLARE
    name text;
    own constant text := 'tenant = current_setting(''setter.tenant'', true)';
BEGIN
    FOREACH name IN ARRAY ARRAY['contacts', 'conversations', 'jobs',
                                'messages'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY worker_own ON %I TO setter_worker '
            'USING (%s) WITH CHECK (%s)', name, own, own);
        EXECUTE format('CREATE POLICY system_all ON %I TO setter_system '
            'USING (true) WITH CHECK (true)', name);
        -- what the owner may do as the system it may not do as itself
        EXECUTE format('CREATE POLICY owner_none ON %I AS RESTRICTIVE '
            'TO CURRENT_USER USING (false)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO setter_worker',
            name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I '
            'TO setter_system', name);
    END LOOP;
END
$$;
