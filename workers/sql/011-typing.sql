-- Whether people see that an answer is being written.

ALTER TABLE tenants ADD COLUMN typing text NOT NULL DEFAULT 'on'
    CHECK (typing IN ('on', 'off'));

COMMENT ON COLUMN tenants.typing IS 'on: where the model takes its time, the '
    'person is shown that the message was read and an answer is being '
    'written, if the provider can do so';

GRANT SELECT (typing) ON tenants TO setter_worker;
