-- What a tenant is like: how the model answers for it, and how long what was
-- said is kept.

ALTER TABLE tenants
    ADD COLUMN name            text CHECK (length(name) <= 200),
    ADD COLUMN prompt          text CHECK (length(prompt) <= 20000),
    ADD COLUMN model           text CHECK (model ~ '^[!-~]{1,200}$'),
    ADD COLUMN time_zone       text CHECK (length(time_zone) <= 64),
    ADD COLUMN retention_days  integer
                               CHECK (retention_days BETWEEN 1 AND 36500);

COMMENT ON COLUMN tenants.name IS 'for people';
COMMENT ON COLUMN tenants.prompt IS 'what the model is told first; NULL: what '
    'the workers'' environment says';
COMMENT ON COLUMN tenants.model IS 'which one answers; NULL: likewise';
COMMENT ON COLUMN tenants.time_zone IS 'the model is told what time it is '
    'there; NULL: it is not';
COMMENT ON COLUMN tenants.retention_days IS 'what is older is deleted; NULL: '
    'nothing is';

GRANT SELECT (name, prompt, model, time_zone, retention_days) ON tenants
    TO setter_worker;


-- A page of what is past its time, with nothing left to do about it.  Jobs
-- and messages go first; then conversations and contacts that have none.
CREATE FUNCTION forget_old(page integer)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    one record;
    n bigint;
    gone bigint := 0;
BEGIN
    FOR one IN SELECT slug, now() - retention_days * interval '1 day' AS until
               FROM tenants WHERE retention_days IS NOT NULL ORDER BY slug
    LOOP
        DELETE FROM messages WHERE (tenant, id) IN (
            SELECT m.tenant, m.id FROM messages AS m
            WHERE m.tenant = one.slug AND m.created_at < one.until
                AND m.state NOT IN ('composed', 'sending')
            LIMIT page);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;

        DELETE FROM jobs WHERE (tenant, id) IN (
            SELECT j.tenant, j.id FROM jobs AS j
            WHERE j.tenant = one.slug AND j.updated_at < one.until
                AND j.status IN ('done', 'failed', 'dead')
            LIMIT page);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;

        DELETE FROM conversations AS c
        WHERE c.tenant = one.slug AND c.updated_at < one.until
            AND NOT c.held AND NOT c.taken_over
            AND NOT EXISTS (SELECT FROM messages AS m
                WHERE m.tenant = c.tenant AND m.lane = c.lane);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;

        -- who wants no more messages is remembered
        DELETE FROM contacts AS p
        WHERE p.tenant = one.slug AND p.updated_at < one.until
            AND NOT p.opted_out
            AND NOT EXISTS (SELECT FROM messages AS m
                WHERE m.tenant = p.tenant AND m.provider = p.provider
                    AND m.address = p.address);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;

        EXIT WHEN gone >= page;
    END LOOP;

    RETURN gone;
END
$$;

COMMENT ON FUNCTION forget_old IS 'deletes what tenants keep no longer, a page '
    'of it; how much that was';

REVOKE ALL ON FUNCTION forget_old FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old TO setter_worker;

DO $$
DECLARE
    place constant text := current_schema;
BEGIN
    -- no other search_path can make it mean other tables
    EXECUTE format('ALTER FUNCTION forget_old SET search_path = %I, pg_temp',
        place);
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO setter_system', place);
    ALTER FUNCTION forget_old OWNER TO setter_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM setter_system', place);
END
$$;
