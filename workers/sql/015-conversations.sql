-- Conversations by an id of their own: a lane's name holds people's numbers,
-- and those are not for URLs.

ALTER TABLE conversations
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();

COMMENT ON COLUMN conversations.id IS 'its name in the API';

CREATE UNIQUE INDEX conversations_id ON conversations (tenant, id);
CREATE INDEX conversations_pages ON conversations (tenant, created_at, id);
