/*
 * What providers report of messages that were sent.
 */

#include "reply/record.h"


static int record_param(turn_t *turn, const char **param, setter_str_t text);


/*
 * Forward is sent, failed, delivered, read.  A message that is composed is
 * about to be sent again: of the first try only its success counts, and keeps
 * the second from being made.
 */
static const char  record_move[] =
    "WITH named AS ("
    "  SELECT id FROM messages"
    "  WHERE tenant = $1 AND direction = 'out'"
    "   AND (id = $2::uuid OR provider_id = $3"
    "    AND ($4::text IS NULL OR provider = $4))"
    "  ORDER BY id = $2::uuid DESC NULLS LAST LIMIT 1"
    " ), moved AS ("
    "  UPDATE messages AS m"
    "  SET state = CASE $5 WHEN 'failed' THEN 'failed' ELSE 'sent' END,"
    "   error = CASE $5 WHEN 'failed' THEN $6 END,"
    "   provider_id = coalesce(m.provider_id, $3),"
    "   sent_at = CASE $5 WHEN 'failed' THEN m.sent_at"
    "    ELSE coalesce(m.sent_at, now()) END,"
    "   delivered_at = CASE WHEN $5 IN ('delivered', 'read')"
    "    THEN coalesce(m.delivered_at, now()) END,"
    "   read_at = CASE $5 WHEN 'read' THEN now() END"
    "  FROM named"
    "  WHERE m.tenant = $1 AND m.id = named.id"
    "   AND (m.state <> 'composed' OR $5 <> 'failed')"
    "   AND CASE $5 WHEN 'sent' THEN 1 WHEN 'failed' THEN 2"
    "     WHEN 'delivered' THEN 3 ELSE 4 END"
    "    > CASE WHEN m.read_at IS NOT NULL THEN 4"
    "     WHEN m.delivered_at IS NOT NULL THEN 3"
    "     WHEN m.state = 'failed' THEN 2"
    "     WHEN m.state = 'sent' THEN 1 ELSE 0 END"
    " )"
    " SELECT id FROM named";


record_e
record_report(turn_t *turn, setter_str_t provider,
    const channel_report_t *report)
{
    int          rows;
    record_e     rc;
    pg_query_t   query;
    pg_answer_t  answer;

    query = (pg_query_t) {
        record_move, 6, { turn->tenant, NULL, NULL, NULL, report->state } };

    if (record_param(turn, &query.params[1], report->message_id) != 0
        || record_param(turn, &query.params[2], report->provider_id) != 0
        || record_param(turn, &query.params[3], provider) != 0
        || record_param(turn, &query.params[5], report->reason) != 0)
    {
        return RECORD_AWAY;
    }

    rc = unit_run(turn, &query, 1, &answer);
    if (rc != RECORD_OK) {
        return rc;
    }

    rows = pg_rows(&answer, 0);
    pg_clear(&answer);
    return rows > 0 ? RECORD_OK : RECORD_HELD;
}


/* SQL's NULL for what is empty.  0, or -1: no memory. */
static int
record_param(turn_t *turn, const char **param, setter_str_t text)
{
    if (text.len == 0) {
        return 0;
    }

    *param = arena_copy(turn->claim->arena, text.data, text.len);
    return *param != NULL ? 0 : -1;
}
