-- Whose a number is decides over its messages, so a tenant's own word is not
-- enough: what a tenant adds sends, and is not gone by until an operator
-- confirmed it.  All that were added so far were an operator's, and so is who
-- writes rows by hand.

ALTER TABLE channels ADD COLUMN confirmed boolean NOT NULL DEFAULT true;

COMMENT ON COLUMN channels.confirmed IS 'an operator''s word that the address '
    'is the tenant''s: messages to it are';

DROP INDEX channels_address;
CREATE UNIQUE INDEX channels_address ON channels (provider, address)
    WHERE NOT removed AND confirmed AND address <> '*';


-- The API writes once: a call that is run again knows its rows.

ALTER TABLE channels ADD COLUMN call uuid;
ALTER TABLE tenants ADD COLUMN call uuid;

COMMENT ON COLUMN channels.call IS 'the API''s call that wrote the row last';
COMMENT ON COLUMN tenants.call IS 'the API''s call that wrote the row last';

GRANT SELECT (call), INSERT (call), UPDATE (call) ON tenants TO setter_worker;


-- Asked before each reply: PL/pgSQL keeps its plan, SQL would make one a call.
CREATE FUNCTION channel_owner(of_provider text, of_address text)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
AS $$
BEGIN
    RETURN (SELECT c.tenant FROM channels AS c
            WHERE c.provider = of_provider AND c.address = of_address
                AND NOT c.removed AND c.confirmed AND c.address <> '*');
END
$$;

COMMENT ON FUNCTION channel_owner IS 'the tenant whose address it is, or NULL';

REVOKE ALL ON FUNCTION channel_owner FROM PUBLIC;
GRANT EXECUTE ON FUNCTION channel_owner TO setter_worker;

DO $$
DECLARE
    place constant text := current_schema;
BEGIN
    -- no other search_path can make it mean another table
    EXECUTE format('ALTER FUNCTION channel_owner SET search_path = %I, pg_temp',
        place);
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO setter_system', place);
    ALTER FUNCTION channel_owner OWNER TO setter_system;

    -- workers of the version before go by the same columns
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION %I.published_channels(after bigint,
            page integer)
        RETURNS TABLE (id bigint, tenant text, provider text, address text,
            removed boolean)
        LANGUAGE sql STABLE SECURITY DEFINER
        BEGIN ATOMIC
            SELECT c.id, coalesce(o.tenant, c.tenant), c.provider, c.address,
                o.tenant IS NULL
            FROM channels AS c
            LEFT JOIN channels AS o ON o.provider = c.provider
                AND o.address = c.address AND NOT o.removed AND o.confirmed
                AND o.address <> '*'
            WHERE c.id > after AND c.address <> '*'
            ORDER BY c.id
            LIMIT page;
        END
    $sql$, place);
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM setter_system', place);
END
$$;
