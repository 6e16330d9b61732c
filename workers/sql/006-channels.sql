-- Channels: the accounts with providers through which tenants are reached.
--
-- Credentials are sealed (src/setter_seal.h) under SETTER_MASTER_KEY, for the
-- row they stand in; what nginx checks signatures with, under a key that is
-- derived from it.  Neither the owner nor a backup can read them.

CREATE TABLE channels (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant ~ '^[a-z][a-z0-9-]{0,62}$'),
    provider    text NOT NULL CHECK (provider ~ '^[a-z]{1,32}$'),
    address     text NOT NULL CHECK (address ~ '^[!-.0-~]{1,128}$'),
    account     text CHECK (account ~ '^[!-~]{1,128}$'),
    base_url    text CHECK (base_url ~ '^https?://[!-~]+$'
                            AND length(base_url) <= 500),
    credential  text,
    signing     text,
    preferred   boolean NOT NULL DEFAULT false,
    removed     boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, provider, address)
);

COMMENT ON TABLE channels IS 'accounts with providers';
COMMENT ON COLUMN channels.provider IS 'as jobs name it: "meta"';
COMMENT ON COLUMN channels.address IS 'our number, its id, page or sender, '
    'as the provider''s webhooks name it; "*": any';
COMMENT ON COLUMN channels.account IS 'whose it is with the provider, where '
    'that has to be said: Twilio''s account SID';
COMMENT ON COLUMN channels.base_url IS 'the provider''s API, where it is not '
    'the one that workers know';
COMMENT ON COLUMN channels.credential IS 'the key or token to send with, '
    'sealed for credential/tenant/provider/address';
COMMENT ON COLUMN channels.signing IS 'one or two secrets, in lines, that the '
    'provider signs webhooks with, sealed for signing/tenant/provider';
COMMENT ON COLUMN channels.preferred IS 'sends what answers no message';
COMMENT ON COLUMN channels.removed IS 'workers take it out of Redis since then';

-- A number is one tenant's.
CREATE UNIQUE INDEX channels_address ON channels (provider, address)
    WHERE NOT removed AND address <> '*';
CREATE UNIQUE INDEX channels_preferred ON channels (tenant, provider)
    WHERE NOT removed AND preferred;

CREATE TRIGGER touch BEFORE UPDATE ON channels
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();


-- These are the system's to keep.  A worker reads the accounts of the tenant
-- whose turn it has, and of all tenants what it publishes.
ALTER TABLE channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE channels FORCE ROW LEVEL SECURITY;

CREATE POLICY worker_own ON channels FOR SELECT TO setter_worker
    USING (tenant = current_setting('setter.tenant', true));
CREATE POLICY system_all ON channels TO setter_system
    USING (true) WITH CHECK (true);
CREATE POLICY owner_none ON channels AS RESTRICTIVE TO CURRENT_USER
    USING (false);

GRANT SELECT ON channels TO setter_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON channels TO setter_system;


CREATE FUNCTION published_channels(after bigint, page integer)
RETURNS TABLE (id bigint, tenant text, provider text, address text,
    removed boolean)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT c.id, c.tenant, c.provider, c.address, c.removed
    FROM channels AS c
    WHERE c.id > after AND c.address <> '*'
        -- who had the address before does not take it from who has it now
        AND (NOT c.removed OR NOT EXISTS (
            SELECT FROM channels AS o
            WHERE o.provider = c.provider AND o.address = c.address
                AND NOT o.removed))
    ORDER BY c.id
    LIMIT page;
END;

COMMENT ON FUNCTION published_channels IS 'whose each address is, a page of '
    'them';

CREATE FUNCTION published_signing(after_tenant text, after_provider text,
    page integer)
RETURNS TABLE (tenant text, provider text, sealed text)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT c.tenant, c.provider, string_agg(c.signing, ' ' ORDER BY c.id)
        FILTER (WHERE NOT c.removed)
    FROM channels AS c
    WHERE (c.tenant, c.provider) > (after_tenant, after_provider)
    GROUP BY c.tenant, c.provider
    ORDER BY c.tenant, c.provider
    LIMIT page;
END;

COMMENT ON FUNCTION published_signing IS 'the sealed secrets of each '
    'tenant''s channels with a provider, a page of them; NULL: none';

REVOKE ALL ON FUNCTION published_channels, published_signing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION published_channels, published_signing
    TO setter_worker;

DO $$
DECLARE
    place constant text := current_schema;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO setter_system', place);
    ALTER FUNCTION published_channels OWNER TO setter_system;
    ALTER FUNCTION published_signing OWNER TO setter_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM setter_system', place);
END
$$;
