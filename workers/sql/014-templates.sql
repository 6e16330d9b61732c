-- Messages whose text the provider has approved before.

ALTER TABLE messages ADD COLUMN template jsonb
    CHECK (jsonb_typeof(template) = 'object');

COMMENT ON COLUMN messages.template IS 'what is sent in place of the text, '
    'whether the window for free text is open or not: name, language, '
    'parameters; NULL: the text is';
