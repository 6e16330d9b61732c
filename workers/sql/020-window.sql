-- What becomes of an answer that is ready when the window for free text has
-- closed.

ALTER TABLE tenants
    ADD COLUMN window_policy   text NOT NULL DEFAULT 'fail'
                               CHECK (window_policy IN ('fail', 'hold',
                                                        'template')),
    ADD COLUMN window_template text
                               CHECK (window_template
                                      ~ '^[!-.0-~]+(/[!-.0-~]{1,16})?$'
                                      AND length(window_template) <= 529);

COMMENT ON COLUMN tenants.window_policy IS 'fail: it is recorded as failed; '
    'hold: the conversation is held for somebody to look at; template: '
    'window_template is sent in its place';
COMMENT ON COLUMN tenants.window_template IS 'NAME or NAME/LANGUAGE, of a '
    'template without parameters';

GRANT SELECT (window_policy, window_template),
      UPDATE (window_policy, window_template) ON tenants TO setter_worker;
