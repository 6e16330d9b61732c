-- The record: who wrote, what was asked of us, what we answered.
--
-- Rows name their tenant without a foreign key: the check would lock the
-- tenant's one row on every insert, for all its conversations at once.

CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION touch_updated_at() IS 'keeps updated_at on every update';


CREATE TABLE tenants (
    slug        text PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9-]{0,62}$'),
    status      text NOT NULL DEFAULT 'seen'
                CHECK (status IN ('seen', 'active', 'suspended')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE tenants IS 'the registry, and whom else messages came for';
COMMENT ON COLUMN tenants.slug IS 'the name in hosts, keys and lanes';
COMMENT ON COLUMN tenants.status IS 'seen: a message came through a door that '
    'takes any tenant; active: added, so workers publish it to Redis for '
    'doors that take known ones; suspended: messages are recorded, not '
    'answered';


CREATE TABLE contacts (
    tenant      text NOT NULL,
    provider    text NOT NULL,
    address     text NOT NULL,
    profile     jsonb,
    opted_out   boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, provider, address)
);

COMMENT ON TABLE contacts IS 'the people who write to a tenant';
COMMENT ON COLUMN contacts.provider IS 'through whom they are reached';
COMMENT ON COLUMN contacts.address IS 'their number or id with the provider';
COMMENT ON COLUMN contacts.profile IS 'what the provider last said of them';
COMMENT ON COLUMN contacts.opted_out IS 'asked for no more messages: a reply '
    'to them is never sent';


CREATE TABLE conversations (
    tenant        text NOT NULL,
    lane          text NOT NULL,
    turn_token    bigint NOT NULL DEFAULT 0,
    taken_over    boolean NOT NULL DEFAULT false,
    window_until  timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, lane)
);

COMMENT ON TABLE conversations IS 'one a lane of the queue';
COMMENT ON COLUMN conversations.turn_token IS 'the highest token of a turn '
    'that began: who holds a lower one has lost the lane and sends nothing';
COMMENT ON COLUMN conversations.taken_over IS 'a person answers, not we';
COMMENT ON COLUMN conversations.window_until IS 'free text may be sent until '
    'then: the last message received plus what the provider grants';


CREATE TABLE jobs (
    tenant       text NOT NULL,
    id           uuid NOT NULL,
    kind         text NOT NULL,
    lane         text NOT NULL,
    status       text NOT NULL DEFAULT 'queued' CHECK (status IN
                 ('queued', 'processing', 'done', 'failed', 'dead')),
    reason       text,
    attempts     integer NOT NULL DEFAULT 0,
    turn         uuid,
    turn_token   bigint NOT NULL DEFAULT 0,
    payload      jsonb NOT NULL,
    received_at  timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

COMMENT ON TABLE jobs IS 'every job a worker took, from its first turn on';
COMMENT ON COLUMN jobs.id IS 'made from tenant and de-duplication key where '
    'there is one: the primary key refuses a repeat however late it comes';
COMMENT ON COLUMN jobs.status IS 'queued: waits for its next attempt; done: '
    'answered, or needs no answer; failed: it has none, as the model, the '
    'provider or the rules of delivery refused for good; dead: given up';
COMMENT ON COLUMN jobs.reason IS 'why it failed, died or was not answered';
COMMENT ON COLUMN jobs.attempts IS 'turns that tried it';
COMMENT ON COLUMN jobs.turn IS 'first job of the last turn that ended; its '
    'reply carries the same';
COMMENT ON COLUMN jobs.turn_token IS 'of the last turn that held it';
COMMENT ON COLUMN jobs.payload IS 'the envelope; as one JSON string where '
    'jsonb cannot hold it';
COMMENT ON COLUMN jobs.received_at IS 'when the webhook came';

CREATE INDEX jobs_given_up ON jobs (tenant, updated_at)
    WHERE status IN ('failed', 'dead');


CREATE TABLE messages (
    tenant             text NOT NULL,
    id                 uuid NOT NULL,
    seq                bigint GENERATED ALWAYS AS IDENTITY,
    lane               text NOT NULL,
    direction          text NOT NULL CHECK (direction IN ('in', 'out')),
    state              text NOT NULL CHECK (state IN ('received', 'composed',
                       'sending', 'sent', 'unknown', 'failed')),
    turn               uuid,
    provider           text NOT NULL,
    provider_id        text,
    address            text NOT NULL,
    sender             text,
    surface            text,
    type               text NOT NULL DEFAULT 'text',
    text               text,
    error              text,
    model              text,
    prompt_tokens      integer,
    completion_tokens  integer,
    sent_at            timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, lane) REFERENCES conversations ON DELETE CASCADE,
    CHECK ((direction = 'in') = (state = 'received')),
    CHECK (direction = 'in' OR turn IS NOT NULL)
);

COMMENT ON TABLE messages IS 'what was said, both ways';
COMMENT ON COLUMN messages.id IS 'in: the job''s id; out: ours, which '
    'travels with the send where the provider echoes it';
COMMENT ON COLUMN messages.seq IS 'order within a conversation';
COMMENT ON COLUMN messages.state IS 'in: received; out: composed, sending, '
    'then sent, unknown (it may have arrived) or failed (it never will)';
COMMENT ON COLUMN messages.turn IS 'out: the first job of the turn it '
    'answers; a turn claimed again finds its reply by it';
COMMENT ON COLUMN messages.provider_id IS 'the provider''s message id';
COMMENT ON COLUMN messages.address IS 'the person, see contacts';
COMMENT ON COLUMN messages.sender IS 'our number, page or sender';
COMMENT ON COLUMN messages.surface IS 'where to show it, for providers that '
    'serve several';
COMMENT ON COLUMN messages.error IS 'why it failed, is unknown, or waits';
COMMENT ON COLUMN messages.model IS 'who composed it, as the provider says';

-- A turn has one reply, whoever runs it and however often.
CREATE UNIQUE INDEX messages_reply ON messages (tenant, turn)
    WHERE direction = 'out';

-- Behind the queue's own de-duplication, which remembers for an hour.
CREATE UNIQUE INDEX messages_received
    ON messages (tenant, provider, provider_id)
    WHERE direction = 'in' AND provider_id IS NOT NULL;

-- Status webhooks find the message by what the provider called it.
CREATE INDEX messages_accepted
    ON messages (tenant, provider, provider_id)
    WHERE direction = 'out' AND provider_id IS NOT NULL;

CREATE INDEX messages_conversation ON messages (tenant, lane, seq);


DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenants', 'contacts', 'conversations',
                                'jobs', 'messages'] LOOP
        EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %I '
            'FOR EACH ROW EXECUTE FUNCTION touch_updated_at()', name);
    END LOOP;
END
$$;
