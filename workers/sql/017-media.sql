-- Files that messages brought.

ALTER TABLE messages ADD COLUMN media jsonb;

COMMENT ON COLUMN messages.media IS 'in: its files, once they were asked for: '
    'an array of {"path", "type", "bytes"}, the path below SETTER_MEDIA_DIR, '
    'or {"error"}; the text of a voice note is then what was said';
