/*
 * setterctl dead requeue: jobs that were given up are tried again.
 *
 * They are queued on record first, then appended.  What is lost in between
 * the workers bring back: a job that is queued, and that the queue does not
 * know, is theirs to reconcile.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "reply/again.h"


#define DEAD_PAGE  "100"

/* Which jobs: NULL is any; those that die meanwhile are not tried again. */
typedef struct {
    const char  *id;
    const char  *tenant;
    const char  *reason;            /* a part of it */
    char         until[64];
} dead_which_t;

typedef struct {
    long  requeued;
    long  answered;
    long  lost;                     /* on their way to Redis */
} dead_counts_t;


static int dead_parse(dead_which_t *which, int argc, char **argv);
static const char *dead_option(const char *name, int argc, char **argv,
    int *i);
static int dead_requeue(ctl_t *ctl, PGconn *pg, dead_which_t *which,
    dead_counts_t *counts);
static int dead_begin(PGconn *pg, dead_which_t *which);
static int dead_page(ctl_t *ctl, PGconn *pg, const dead_which_t *which,
    dead_counts_t *counts, int *rows);
static PGresult *dead_query(PGconn *pg, const char *sql,
    const dead_which_t *which, const char *limit);
static int dead_tell(ctl_t *ctl, const dead_which_t *which,
    const dead_counts_t *counts);


#define DEAD_WHICH                                                            \
    " j.status = 'dead' AND j.updated_at <= $4::timestamptz"                  \
    " AND ($1::uuid IS NULL OR j.id = $1)"                                    \
    " AND ($2::text IS NULL OR j.tenant = $2)"                                \
    " AND ($3::text IS NULL OR strpos(j.reason, $3) > 0)"

/* It was answered, or may have been. */
#define DEAD_ANSWERED                                                         \
    " EXISTS (SELECT FROM messages AS m WHERE m.tenant = j.tenant"            \
    "  AND m.turn = coalesce(j.turn, j.id) AND m.direction = 'out'"           \
    "  AND NOT m.set_aside AND m.state <> 'failed')"

/* A reply that failed is set aside, for the turn to have another. */
static const char  requeue_sql[] =
    "WITH wanted AS (SELECT j.tenant, j.id, j.turn FROM jobs AS j"
    "  WHERE" DEAD_WHICH " AND NOT" DEAD_ANSWERED
    "  ORDER BY j.received_at, j.seq LIMIT $5::integer FOR UPDATE),"
    " aside AS (UPDATE messages AS m SET set_aside = true FROM wanted AS w"
    "  WHERE m.tenant = w.tenant AND m.turn IN (w.id, w.turn)"
    "   AND m.direction = 'out' AND m.state = 'failed' AND NOT m.set_aside),"
    " queued AS (UPDATE jobs AS j"
    "  SET status = 'queued', reason = 'requeued', attempts = 0, turn = NULL"
    "  FROM wanted AS w WHERE j.tenant = w.tenant AND j.id = w.id"
    "  RETURNING j.*)"
    " SELECT " AGAIN_COLUMNS " FROM queued AS j"
    "  ORDER BY j.received_at, j.seq";

static const char  answered_sql[] =
    "SELECT count(*) FROM jobs AS j WHERE" DEAD_WHICH " AND" DEAD_ANSWERED;


int
ctl_dead_requeue(ctl_t *ctl, int argc, char **argv)
{
    int            rc;
    PGconn        *pg;
    dead_which_t   which;
    dead_counts_t  counts;

    memset(&which, 0, sizeof(which));
    memset(&counts, 0, sizeof(counts));

    rc = dead_parse(&which, argc, argv);
    if (rc != CTL_OK) {
        return rc;
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = dead_requeue(ctl, pg, &which, &counts);
    PQfinish(pg);

    return rc == CTL_OK ? dead_tell(ctl, &which, &counts) : rc;
}


static int
dead_parse(dead_which_t *which, int argc, char **argv)
{
    int           i;
    setter_str_t  id;

    for (i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--tenant", 8) == 0) {
            which->tenant = dead_option("--tenant", argc, argv, &i);
            if (which->tenant == NULL) {
                return CTL_USAGE;
            }

        } else if (strncmp(argv[i], "--reason", 8) == 0) {
            which->reason = dead_option("--reason", argc, argv, &i);
            if (which->reason == NULL) {
                return CTL_USAGE;
            }

        } else {
            id.data = argv[i];
            id.len = strlen(argv[i]);

            if (argc != 1 || argv[i][0] == '-') {
                return CTL_USAGE;
            }

            if (!setter_uuid_valid(id)) {
                return ctl_fail("\"%s\" is not a job's id", argv[i]);
            }

            which->id = argv[i];
        }
    }

    return argc > 0 ? CTL_OK : CTL_USAGE;
}


/* "--name VALUE" or "--name=VALUE"; NULL when it is neither, or empty. */
static const char *
dead_option(const char *name, int argc, char **argv, int *i)
{
    const char  *rest, *value;

    rest = argv[*i] + strlen(name);
    value = *rest == '=' ? rest + 1
            : *rest == '\0' && *i + 1 < argc ? argv[++*i] : NULL;

    return value != NULL && *value != '\0' ? value : NULL;
}


static int
dead_requeue(ctl_t *ctl, PGconn *pg, dead_which_t *which,
    dead_counts_t *counts)
{
    int        rows;
    PGresult  *result;

    if (dead_begin(pg, which) != CTL_OK) {
        return CTL_FAILED;
    }

    do {
        if (dead_page(ctl, pg, which, counts, &rows) != CTL_OK) {
            return CTL_FAILED;
        }
    } while (rows > 0);

    result = dead_query(pg, answered_sql, which, NULL);
    if (result == NULL) {
        return CTL_FAILED;
    }

    counts->answered = atol(PQgetvalue(result, 0, 0));
    PQclear(result);

    return CTL_OK;
}


static int
dead_begin(PGconn *pg, dead_which_t *which)
{
    int        rc;
    PGresult  *result;

    result = PQexec(pg, "SELECT clock_timestamp()");
    rc = PQresultStatus(result) == PGRES_TUPLES_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));

    if (rc == CTL_OK) {
        snprintf(which->until, sizeof(which->until), "%s",
                 PQgetvalue(result, 0, 0));
    }

    PQclear(result);

    return rc;
}


static int
dead_page(ctl_t *ctl, PGconn *pg, const dead_which_t *which,
    dead_counts_t *counts, int *rows)
{
    int          i, row;
    PGresult    *result;
    const char  *values[AGAIN_N];

    result = dead_query(pg, requeue_sql, which, DEAD_PAGE);
    if (result == NULL) {
        return CTL_FAILED;
    }

    *rows = PQntuples(result);

    for (row = 0; row < *rows; row++) {
        for (i = 0; i < AGAIN_N; i++) {
            values[i] = PQgetvalue(result, row, i);
        }

        if (again_append(ctl->redis, &ctl->queue, values) != QUEUE_OK) {
            counts->lost++;
        }
    }

    counts->requeued += *rows;
    PQclear(result);

    return CTL_OK;
}


/* NULL after saying why. */
static PGresult *
dead_query(PGconn *pg, const char *sql, const dead_which_t *which,
    const char *limit)
{
    PGresult    *result;
    const char  *params[5] = { which->id, which->tenant, which->reason,
                               which->until, limit };

    result = PQexecParams(pg, sql, limit != NULL ? 5 : 4, NULL, params, NULL,
                          NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        ctl_fail("%s", PQerrorMessage(pg));
        PQclear(result);
        return NULL;
    }

    return result;
}


static int
dead_tell(ctl_t *ctl, const dead_which_t *which, const dead_counts_t *counts)
{
    if (ctl->json) {
        printf("{\"requeued\":%ld,\"answered\":%ld}\n", counts->requeued,
               counts->answered);

    } else if (which->id == NULL || counts->requeued > 0) {
        printf("requeued %ld\n", counts->requeued);
    }

    if (counts->lost > 0) {
        return ctl_fail("Redis did not take %ld of them: they are queued on "
                        "record, and workers bring them back", counts->lost);
    }

    if (counts->answered > 0) {
        return ctl_fail("%ld not requeued: their reply was sent, or may have "
                        "been", counts->answered);
    }

    if (which->id != NULL && counts->requeued == 0) {
        return ctl_fail("there is no dead job %s", which->id);
    }

    return CTL_OK;
}
