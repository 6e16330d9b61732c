-- Who answers in a provider's own app takes the conversation over.

ALTER TABLE tenants
    ADD COLUMN echo text NOT NULL DEFAULT 'takeover'
                    CHECK (echo IN ('takeover', 'ignore'));

COMMENT ON COLUMN tenants.echo IS 'a message from our account that is none of '
    'ours: takeover: a person answers from then on; ignore: nothing';

GRANT SELECT (echo) ON tenants TO setter_worker;
