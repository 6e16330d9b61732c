/*
 * The elements of an array that a provider posted, read one by one.
 */

#include <stdio.h>
#include <string.h>

#include "channel/provider.h"


#define REPORTS_CHUNK     SETTER_JSON_MAX_PATHS /* elements read at a time */
#define REPORTS_PATH_MAX  32


static int reports_chunk(setter_str_t json, const char *member, int first,
    setter_json_value_t *values, arena_t *arena);


int
channel_reports(setter_str_t json, const char *member,
    channel_report_pt read, channel_report_t **reports, int *unused,
    arena_t *arena)
{
    int                   i, n, first, elements;
    channel_report_t     *grown;
    setter_json_value_t   values[REPORTS_CHUNK];

    n = 0;
    first = 0;
    *reports = NULL;
    *unused = 0;

    do {
        elements = reports_chunk(json, member, first, values, arena);
        grown = arena_get(arena, (size_t) (n + REPORTS_CHUNK)
                                 * sizeof(channel_report_t));
        if (elements < 0 || grown == NULL) {
            return -1;
        }

        if (n > 0) {
            memcpy(grown, *reports, (size_t) n * sizeof(channel_report_t));
        }
        *reports = grown;

        for (i = 0; i < elements; i++) {
            memset(&grown[n], 0, sizeof(channel_report_t));

            if (read(&values[i], &grown[n], arena)) {
                n++;
            } else {
                (*unused)++;
            }
        }

        first += REPORTS_CHUNK;

    } while (elements == REPORTS_CHUNK);

    return n;
}


setter_str_t
channel_reason(setter_str_t code, setter_str_t title, arena_t *arena)
{
    const char    *text;
    setter_str_t   reason;

    text = arena_printf(arena, "%.*s%s%.*s", (int) code.len,
                        code.len > 0 ? code.data : "",
                        code.len > 0 && title.len > 0 ? " " : "",
                        (int) title.len, title.len > 0 ? title.data : "");

    reason.data = text;
    reason.len = text != NULL ? strlen(text) : 0;

    return reason;
}


/* The elements from the first on; -1: no memory. */
static int
reports_chunk(setter_str_t json, const char *member, int first,
    setter_json_value_t *values, arena_t *arena)
{
    int                 i;
    char                names[REPORTS_CHUNK][REPORTS_PATH_MAX];
    setter_json_path_t  paths[REPORTS_CHUNK];

    for (i = 0; i < REPORTS_CHUNK; i++) {
        snprintf(names[i], REPORTS_PATH_MAX, "%s.%d", member, first + i);
        paths[i].path = names[i];
        paths[i].flags = SETTER_JSON_TEXT;
    }

    switch (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR, paths,
                             REPORTS_CHUNK, values, NULL,
                             arena_alloc(arena)))
    {

    case SETTER_JSON_OK:
        break;

    case SETTER_JSON_NO_MEMORY:
        return -1;

    default:
        return 0;
    }

    i = 0;

    while (i < REPORTS_CHUNK && values[i].type != SETTER_JSON_ABSENT) {
        i++;
    }

    return i;
}
