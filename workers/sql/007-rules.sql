-- Rules of conversation: who wants no more messages, and when two machines
-- seem to talk to each other.

ALTER TABLE tenants
    ADD COLUMN opt_out  text CHECK (length(opt_out) <= 2000),
    ADD COLUMN guard    integer NOT NULL DEFAULT 60
                        CHECK (guard BETWEEN 0 AND 100000);

COMMENT ON COLUMN tenants.opt_out IS 'words, with commas between them, that '
    'end all messages to who writes one, beside those that always do';
COMMENT ON COLUMN tenants.guard IS 'replies to a person in an hour, after '
    'which the conversation is held for somebody to look at; 0: any number';

GRANT SELECT (opt_out, guard) ON tenants TO setter_worker;


ALTER TABLE conversations
    ADD COLUMN guard_from timestamptz NOT NULL DEFAULT '-infinity';

COMMENT ON COLUMN conversations.guard_from IS 'replies from here on count for '
    'the guard: when it was released last';
