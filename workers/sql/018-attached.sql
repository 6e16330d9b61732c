-- What a message that somebody has us send has beside its text.

ALTER TABLE messages ADD COLUMN attached jsonb
    CHECK (jsonb_typeof(attached) = 'object');

COMMENT ON COLUMN messages.attached IS 'out: {"media": {type, url, filename}} '
    'or {"buttons": [{id, title}]}; NULL: the text is all';
