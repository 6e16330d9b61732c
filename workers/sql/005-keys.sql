-- Keys that callers of a tenant show to the front door.  What is kept of one
-- is its hash: it is shown once, when it is made.

CREATE TABLE keys (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant ~ '^[a-z][a-z0-9-]{0,62}$'),
    hash        text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$'),
    name        text CHECK (length(name) <= 100),
    ending      text NOT NULL CHECK (length(ending) = 4),
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);

COMMENT ON TABLE keys IS 'callers'' keys, by their hashes';
COMMENT ON COLUMN keys.hash IS 'SHA-256 of the whole key, hexadecimal';
COMMENT ON COLUMN keys.name IS 'what it is for, as its maker says';
COMMENT ON COLUMN keys.ending IS 'the key''s last characters, to know it by';
COMMENT ON COLUMN keys.revoked_at IS 'workers take it out of Redis since then';

CREATE INDEX keys_tenant ON keys (tenant);


-- These are the system's to keep.  A worker publishes all of them, so it reads
-- what that takes, and no more.
ALTER TABLE keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys FORCE ROW LEVEL SECURITY;

CREATE POLICY worker_reads ON keys FOR SELECT TO setter_worker
    USING (true);
CREATE POLICY system_all ON keys TO setter_system
    USING (true) WITH CHECK (true);
CREATE POLICY owner_none ON keys AS RESTRICTIVE TO CURRENT_USER
    USING (false);

GRANT SELECT (id, tenant, hash, revoked_at) ON keys TO setter_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON keys TO setter_system;
