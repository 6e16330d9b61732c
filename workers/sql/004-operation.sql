-- What operators set for tenants and lanes, what is told of a reply after it
-- was sent, and how workers find again what Redis lost.

-- setterctl changes these and publishes them to Redis; a worker that finds a
-- new Redis publishes them again, for the tenants whose row was ever updated
-- (what was set back to the default has to be told too).
ALTER TABLE tenants
    ADD COLUMN weight        integer NOT NULL DEFAULT 1
                             CHECK (weight BETWEEN 1 AND 1000),
    ADD COLUMN cap           integer NOT NULL DEFAULT 200
                             CHECK (cap BETWEEN 1 AND 100000),
    ADD COLUMN quota_minute  integer NOT NULL DEFAULT 0
                             CHECK (quota_minute BETWEEN 0 AND 999999999),
    ADD COLUMN quota_day     integer NOT NULL DEFAULT 0
                             CHECK (quota_day BETWEEN 0 AND 999999999),
    ADD COLUMN worker        text NOT NULL DEFAULT 'own'
                             CHECK (worker IN ('own', 'outside')),
    ADD COLUMN mid_turn      text NOT NULL DEFAULT 'queue'
                             CHECK (mid_turn IN ('queue', 'merge')),
    ADD COLUMN held          boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN tenants.weight IS 'its share beside other tenants';
COMMENT ON COLUMN tenants.cap IS 'turns in flight at most';
COMMENT ON COLUMN tenants.quota_minute IS 'messages a minute that the door '
    'lets in; 0: any number';
COMMENT ON COLUMN tenants.quota_day IS 'messages a UTC day that are answered; '
    '0: any number';
COMMENT ON COLUMN tenants.worker IS 'who takes its messages: own: we; '
    'outside: whoever asks for them over HTTP';
COMMENT ON COLUMN tenants.mid_turn IS 'a message that comes while the model '
    'thinks: queue: is for the next turn; merge: is taken into this one';
COMMENT ON COLUMN tenants.held IS 'its lanes wait until it is released';

GRANT SELECT (weight, cap, quota_minute, quota_day, worker, mid_turn, held,
              created_at, updated_at) ON tenants TO setter_worker;


ALTER TABLE conversations ADD COLUMN held boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN conversations.held IS 'the lane waits until it is released';

CREATE INDEX conversations_held ON conversations (tenant, lane) WHERE held;
CREATE INDEX conversations_taken_over ON conversations (tenant, lane)
    WHERE taken_over;


ALTER TABLE jobs ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY;

COMMENT ON COLUMN jobs.seq IS 'order within a lane, of what was received in '
    'the same moment';
COMMENT ON COLUMN jobs.turn IS 'first job of the turn whose reply answers '
    'this one; once the job is finished, of its last turn';

CREATE INDEX jobs_unfinished ON jobs (received_at, seq)
    WHERE status IN ('queued', 'processing');


ALTER TABLE messages
    ADD COLUMN delivered_at  timestamptz,
    ADD COLUMN read_at       timestamptz,
    ADD COLUMN set_aside     boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN messages.delivered_at IS 'out: it reached the person, as '
    'the provider reported';
COMMENT ON COLUMN messages.read_at IS 'out: the person read it, likewise';
COMMENT ON COLUMN messages.set_aside IS 'out: it failed, or was never sent, '
    'and its turn may have another reply';

DROP INDEX messages_reply;
CREATE UNIQUE INDEX messages_reply ON messages (tenant, turn)
    WHERE direction = 'out' AND NOT set_aside;

-- Not every report names who reports.
DROP INDEX messages_accepted;
CREATE INDEX messages_accepted ON messages (tenant, provider_id)
    WHERE direction = 'out' AND provider_id IS NOT NULL;

CREATE INDEX messages_unknown ON messages (tenant, updated_at)
    WHERE state = 'unknown';


-- What workers have to know of all tenants at once, they ask of functions
-- that run as the system role and tell no more than that: no text, no
-- envelope, nobody's address but in a lane's name.  What is done about it is
-- done as the tenant.  The bodies are parsed here and now, so no search_path
-- can make them mean another table.

CREATE FUNCTION unfinished_jobs(untouched interval,
    after_received timestamptz, after_seq bigint, page integer)
RETURNS TABLE (tenant text, id uuid, queue_id text, lane text,
    received_at timestamptz, seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT j.tenant, j.id, coalesce(j.payload->>'id', j.id::text), j.lane,
        j.received_at, j.seq
    FROM jobs AS j
    WHERE j.status IN ('queued', 'processing')
        AND j.updated_at < now() - untouched
        AND (j.received_at, j.seq) > (after_received, after_seq)
    ORDER BY j.received_at, j.seq
    LIMIT page;
END;

COMMENT ON FUNCTION unfinished_jobs IS 'jobs of all tenants that nothing '
    'happened to for a while, a page of them, in the order received';

CREATE FUNCTION held_lanes(after_tenant text, after_lane text,
    page integer)
RETURNS TABLE (tenant text, lane text)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT c.tenant, c.lane
    FROM conversations AS c
    WHERE c.held AND (c.tenant, c.lane) > (after_tenant, after_lane)
    ORDER BY c.tenant, c.lane
    LIMIT page;
END;

COMMENT ON FUNCTION held_lanes IS 'lanes of all tenants that are held, a page '
    'of them';

REVOKE ALL ON FUNCTION unfinished_jobs, held_lanes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unfinished_jobs, held_lanes TO setter_worker;

-- Whoever is to own a function must be allowed to create one, for so long.
DO $$
DECLARE
    place constant text := current_schema;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO setter_system', place);
    ALTER FUNCTION unfinished_jobs OWNER TO setter_system;
    ALTER FUNCTION held_lanes OWNER TO setter_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM setter_system', place);
END
$$;
