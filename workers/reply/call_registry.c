#include <string.h>

#include "reply/call_registry.h"
#include "reply/unit.h"
#include "runtime/log.h"


int
call_registry_read(turn_t *turn, const call_ask_t *ask,
    const setter_json_path_t *paths, size_t n, setter_json_value_t *values,
    call_answer_t *answer)
{
    setter_buf_t         rest;
    setter_str_t         body, empty = setter_str("{}");
    setter_json_error_e  error;

    body = ask->body.len > 0 ? ask->body : empty;
    setter_buf_init(&rest, arena_alloc(turn->claim->arena), 0);

    error = setter_json_read(body.data, body.len, 0, paths, n, values, &rest,
                             arena_alloc(turn->claim->arena));

    if (error == SETTER_JSON_NO_MEMORY || rest.failed) {
        return -1;
    }

    if (error != SETTER_JSON_OK) {
        return call_problem(turn, answer, 400, "Bad Request",
                            setter_json_strerror(error));
    }

    if (rest.len > 0) {
        /* "name":… */
        body.data = memchr(rest.data + 1, '"', rest.len - 1);
        body.data = arena_copy(turn->claim->arena, rest.data + 1,
                               (size_t) (body.data - rest.data - 1));

        return body.data != NULL
               ? call_invalid(turn, answer, body.data,
                              "there is no such field") : -1;
    }

    return 1;
}


const char *
call_registry_text(turn_t *turn, const setter_json_value_t *value,
    int number, const char *initial)
{
    if (value->type == SETTER_JSON_NULL) {
        return initial;
    }

    if (value->type != (number ? SETTER_JSON_NUMBER : SETTER_JSON_STRING)
        || memchr(value->text.data, '\0', value->text.len) != NULL)
    {
        return NULL;
    }

    return value->text.len > 0
           ? arena_copy(turn->claim->arena, value->text.data, value->text.len)
           : initial;
}


int
call_registry_list(turn_t *turn, const pg_query_t *select,
    call_answer_t *answer)
{
    int          rc;
    pg_answer_t  row;

    rc = pg_run(turn->tenant, select, 1, unit_timeout_ms(turn), &row) == PG_OK
         ? call_body(turn, answer, 200, pg_text(&row, 0, 0, 0), NULL)
         : call_registry_away(turn, &row, answer);

    pg_clear(&row);

    return rc;
}


int
call_registry_show(turn_t *turn, const char *sql, const char *id, int status,
    call_answer_t *answer)
{
    int          rc;
    pg_query_t   select;
    pg_answer_t  row;

    if (id == NULL) {
        return -1;
    }

    select = (pg_query_t) { sql, 1, { id } };

    if (pg_run(turn->tenant, &select, 1, unit_timeout_ms(turn), &row)
        != PG_OK)
    {
        rc = call_registry_away(turn, &row, answer);

    } else if (pg_rows(&row, 0) == 0) {
        rc = call_not_found(answer);

    } else {
        rc = call_body(turn, answer, status, pg_text(&row, 0, 0, 0),
                       pg_text(&row, 0, 0, 1));
    }

    pg_clear(&row);

    return rc;
}


int
call_registry_away(turn_t *turn, const pg_answer_t *rows,
    call_answer_t *answer)
{
    log_warn("a call found no record", "tenant", turn->tenant, "sqlstate",
             rows->sqlstate, "error", rows->message);

    return call_problem(turn, answer, 503, "Service Unavailable",
                        "the record did not answer");
}


int
call_unpublished(turn_t *turn, const char *why)
{
    log_warn("recorded, but not published yet", "tenant", turn->tenant,
             "reason", why);

    return -1;
}
