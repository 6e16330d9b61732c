-- How much an account with a provider may send.

ALTER TABLE channels ADD COLUMN rate integer CHECK (rate BETWEEN 1 AND 1000);

COMMENT ON COLUMN channels.rate IS 'messages a second; NULL: what the provider '
    'is known to bear';
