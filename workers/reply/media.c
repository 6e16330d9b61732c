#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/media.h"
#include "reply/media.h"
#include "reply/media_store.h"
#include "reply/unit.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "setter_json.h"


#define MEDIA_TRIES     3
#define MEDIA_PAUSE_MS  500
#define MEDIA_SHARE_MS  100         /* before a tenant's next look */


static turn_end_e media_of(turn_t *turn, turn_job_t *job);
static int media_known(turn_t *turn, turn_job_t *job, int *known);
static int media_recall(turn_t *turn, turn_job_t *job, setter_str_t listed);
static turn_end_e media_record(turn_t *turn, turn_job_t *job,
    setter_buf_t *listed);
static int media_begin(turn_t *turn);
static long media_share(const turn_t *turn);
static void media_end(turn_t *turn);
static turn_end_e media_files(turn_t *turn, turn_job_t *job,
    setter_buf_t *listed);
static turn_end_e media_file(turn_t *turn, turn_job_t *job,
    const channel_media_t *media, int n, int64_t deadline,
    setter_buf_t *listed);
static channel_media_e media_fetch(turn_t *turn, const channel_media_t *media,
    int64_t deadline, channel_file_t *file, arena_t *arena);
static void media_keep(turn_t *turn, turn_job_t *job,
    const channel_file_t *file, int n, setter_buf_t *listed);
static int media_use(turn_t *turn, turn_job_t *job, setter_str_t listed,
    int again);
static int media_is_said(const turn_job_t *job, setter_str_t type);
static void media_image(turn_t *turn, turn_job_t *job, const char *path,
    const char *type, int64_t bytes);
static long media_nimages(const turn_t *turn);
static void media_failed(turn_t *turn, const turn_job_t *job,
    const char *reason, setter_buf_t *listed);


enum { MEDIA_PATH, MEDIA_TYPE, MEDIA_BYTES, MEDIA_N };

/* A file as it is listed. */
static const setter_json_path_t  media_paths[MEDIA_N] = {
    { "path", 0 }, { "type", 0 }, { "bytes", 0 }
};

static const char  media_select[] =
    "SELECT text, media FROM messages"
    " WHERE tenant = $1 AND id = $2 AND media IS NOT NULL";

/* One that was taken back meanwhile stays empty. */
static const char  media_update[] =
    "UPDATE messages SET text = $3, media = $4::jsonb"
    " WHERE tenant = $1 AND id = $2 AND type <> 'unsent' RETURNING id";


int
media_there(const turn_t *turn)
{
    size_t             i;
    const turn_job_t  *job;

    for (i = 0; i < turn->njobs; i++) {
        job = &turn->jobs[i];

        if (job->live && !job->fetched && job->job.media.len > 0) {
            return turn->worker->media.dir != NULL;
        }
    }

    return 0;
}


turn_end_e
media_take(turn_t *turn)
{
    size_t       i;
    turn_end_e   end;
    turn_job_t  *job;

    for (i = 0, end = TURN_GOES_ON; i < turn->njobs && end == TURN_GOES_ON;
         i++)
    {
        job = &turn->jobs[i];

        /* one that has a reply, too: it may be set aside */
        if (job->live && !job->fetched && job->job.media.len > 0) {
            end = media_of(turn, job);
            job->fetched = 1;
        }
    }

    return end;
}


/* The record is written before the model is asked: its text may be new. */
static turn_end_e
media_of(turn_t *turn, turn_job_t *job)
{
    int           known;
    turn_end_e    end;
    setter_buf_t  listed;

    if (media_known(turn, job, &known) != 0) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    if (known) {
        return TURN_GOES_ON;
    }

    setter_buf_init(&listed, arena_alloc(turn->claim->arena), 256);

    if (media_begin(turn) != TASK_OK) {
        return turn_cancelled(turn);
    }

    end = media_files(turn, job, &listed);
    media_end(turn);

    return end != TURN_GOES_ON || listed.len == 0
           ? end : media_record(turn, job, &listed);
}


/*
 * An earlier claim of the job may have fetched it: then there is nothing left
 * to do, be the files there or not.  0, or -1: no memory.
 */
static int
media_known(turn_t *turn, turn_job_t *job, int *known)
{
    int           rc;
    pg_query_t    query;
    pg_answer_t   row;

    *known = 0;
    query = (pg_query_t) { media_select, 2, { turn->tenant, job->id } };

    if (unit_once(turn, &query, 1, &row) != RECORD_OK) {
        return 0;
    }

    *known = pg_rows(&row, 0) == 1;
    rc = 0;

    if (*known) {
        job->job.text.len = strlen(pg_text(&row, 0, 0, 0));
        job->job.text.data = arena_copy(turn->claim->arena,
                                        pg_text(&row, 0, 0, 0),
                                        job->job.text.len);
        rc = job->job.text.data == NULL ? -1
             : media_recall(turn, job, (setter_str_t) {
                   strlen(pg_text(&row, 0, 0, 1)), pg_text(&row, 0, 0, 1) });
    }

    pg_clear(&row);

    return rc;
}


static int
media_recall(turn_t *turn, turn_job_t *job, setter_str_t listed)
{
    listed.data = arena_copy(turn->claim->arena, listed.data, listed.len);

    if (listed.data == NULL) {
        return -1;
    }

    (void) media_use(turn, job, listed, 1);

    return 0;
}


static turn_end_e
media_record(turn_t *turn, turn_job_t *job, setter_buf_t *listed)
{
    record_e      rc;
    const char   *text;
    pg_query_t    query;
    pg_answer_t   answer;

    /* what is on record is not heard again: better fetched again than that */
    if (media_use(turn, job, (setter_str_t) { listed->len, listed->data }, 0)
        != TASK_OK)
    {
        return turn_cancelled(turn);
    }

    setter_buf_byte(listed, '\0');
    text = arena_copy(turn->claim->arena, job->job.text.data,
                      job->job.text.len);

    if (listed->failed || text == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    query = (pg_query_t) {
        media_update, 4, { turn->tenant, job->id, text, listed->data } };

    rc = unit_run(turn, &query, 1, &answer);

    if (rc == RECORD_OK) {
        if (pg_rows(&answer, 0) == 0) {
            job->nimages = 0;
            media_drop(turn, listed->data);
        }

        pg_clear(&answer);
        turn_step(turn, "fetched");
    }

    /* what PostgreSQL does not take was for the memory's sake */
    return rc == RECORD_REFUSED ? TURN_GOES_ON : unit_ends(turn, rc);
}


/* A tenant whose files take long leaves half of the fetches to others. */
static int
media_begin(turn_t *turn)
{
    int   rc;
    long  most;

    most = turn->worker->media.fetches / 2;

    while (media_share(turn) >= (most > 0 ? most : 1)) {
        rc = task_sleep(MEDIA_SHARE_MS);
        if (rc != TASK_OK) {
            return rc;
        }
    }

    turn->fetching = 1;
    rc = task_sem_take(&turn->worker->fetches, TASK_FOREVER);
    turn->fetching = rc == TASK_OK;

    return rc;
}


static long
media_share(const turn_t *turn)
{
    long           n;
    const turn_t  *other;

    n = 0;

    LIST_FOREACH(other, &turn->worker->turns, link) {
        n += other->fetching && strcmp(other->tenant, turn->tenant) == 0;
    }

    return n;
}


static void
media_end(turn_t *turn)
{
    turn->fetching = 0;
    task_sem_give(&turn->worker->fetches);
}


/* All of a message's, as a JSON array; nothing where it names none. */
static turn_end_e
media_files(turn_t *turn, turn_job_t *job, setter_buf_t *listed)
{
    int              i, n;
    int64_t          deadline;
    turn_end_e       end;
    channel_media_t  media[CHANNEL_MEDIA_FILES];

    deadline = loop_now_ms() + turn->worker->media.timeout_ms;

    n = channel_media_read(job->job.media, media, turn->claim->arena);
    if (n == -1) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    for (i = 0, end = TURN_GOES_ON; i < n && end == TURN_GOES_ON; i++) {
        setter_buf_byte(listed, i == 0 ? '[' : ',');
        end = media_file(turn, job, &media[i], i, deadline, listed);
    }

    if (n > 0) {
        setter_buf_byte(listed, ']');
    }

    return end;
}


/* Its bytes are in memory no longer than it takes to store them. */
static turn_end_e
media_file(turn_t *turn, turn_job_t *job, const channel_media_t *media,
    int n, int64_t deadline, setter_buf_t *listed)
{
    arena_t         *arena;
    turn_end_e       end;
    channel_file_t   file;

    if (media->type.len > 0
        && !media_wanted(turn->worker->media.types, media->type))
    {
        media_failed(turn, job, "its type is not wanted", listed);
        return TURN_GOES_ON;
    }

    arena = arena_create();
    if (arena == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    end = TURN_GOES_ON;

    if (media_fetch(turn, media, deadline, &file, arena)
        == CHANNEL_MEDIA_CANCELLED)
    {
        end = turn_cancelled(turn);

    } else if (file.result == CHANNEL_MEDIA_OK) {
        media_keep(turn, job, &file, n, listed);

    } else {
        media_failed(turn, job, file.reason, listed);
    }

    arena_destroy(arena);

    return end;
}


static channel_media_e
media_fetch(turn_t *turn, const channel_media_t *media, int64_t deadline,
    channel_file_t *file, arena_t *arena)
{
    int64_t                  left;
    unsigned                 tries;
    const channel_t         *channel;
    const media_settings_t  *settings;

    settings = &turn->worker->media;
    channel = channel_find((setter_str_t) { strlen(turn->reply.provider),
                                            turn->reply.provider });

    for (tries = 1; /* void */ ; tries++) {
        left = deadline - loop_now_ms();
        channel_media_fetch(channel, &turn->account, media,
                            (size_t) settings->max_bytes, left > 0 ? left : 1,
                            file, arena);

        if (file->result != CHANNEL_MEDIA_AGAIN || tries == MEDIA_TRIES
            || loop_now_ms() >= deadline)
        {
            return file->result;
        }

        if (task_sleep(loop_backoff(tries, MEDIA_PAUSE_MS,
                                    4 * MEDIA_PAUSE_MS)) != TASK_OK)
        {
            return CHANNEL_MEDIA_CANCELLED;
        }
    }
}


static void
media_keep(turn_t *turn, turn_job_t *job, const channel_file_t *file, int n,
    setter_buf_t *listed)
{
    const char    *path;
    setter_str_t   where;

    if (!media_wanted(turn->worker->media.types, file->type)) {
        media_failed(turn, job, "its type is not wanted", listed);
        return;
    }

    path = media_store(turn->worker->media.dir, turn->tenant, job->id, n,
                       file->type, file->data, turn->claim->arena);

    if (path == NULL) {
        log_error("a file cannot be stored", "tenant", turn->tenant,
                  "directory", turn->worker->media.dir, "error",
                  strerror(errno));
        media_failed(turn, job, "it could not be stored", listed);
        return;
    }

    where.data = path;
    where.len = strlen(path);
    setter_buf_byte(listed, '{');
    setter_json_member(listed, "path", where);
    setter_json_member(listed, "type", file->type);
    setter_json_name(listed, "bytes");
    setter_buf_number(listed, (int64_t) file->data.len);
    setter_buf_byte(listed, '}');
}


/*
 * What is listed, to the model; again: what was said is in the text.  TASK_OK,
 * or TASK_CANCELLED.
 */
static int
media_use(turn_t *turn, turn_job_t *job, setter_str_t listed, int again)
{
    arena_t              *arena;
    const char           *path, *type;
    setter_str_t          one;
    setter_json_value_t   values[MEDIA_N];

    arena = turn->claim->arena;

    while (setter_json_next(&listed, &one)) {
        if (setter_json_read(one.data, one.len, 0, media_paths, MEDIA_N,
                             values, NULL, arena_alloc(arena))
            != SETTER_JSON_OK
            || values[MEDIA_PATH].text.len == 0)
        {
            continue;
        }

        path = arena_copy(arena, values[MEDIA_PATH].text.data,
                          values[MEDIA_PATH].text.len);
        type = arena_copy(arena, values[MEDIA_TYPE].text.data,
                          values[MEDIA_TYPE].text.len);

        if (path == NULL || type == NULL) {
            break;
        }

        if (media_is_said(job, values[MEDIA_TYPE].text)) {
            if (!again && !turn->opted_out
                && media_hear(turn, job, path, type) != TASK_OK)
            {
                return TASK_CANCELLED;
            }

        } else if (media_wanted("image/*", values[MEDIA_TYPE].text)) {
            media_image(turn, job, path, type,
                        strtoll(values[MEDIA_BYTES].text.data, NULL, 10));
        }
    }

    return TASK_OK;
}


/* Instagram's recordings are videos without a picture. */
static int
media_is_said(const turn_job_t *job, setter_str_t type)
{
    return media_wanted("audio/*", type)
           || setter_str_is(job->job.type, "audio")
           || setter_str_is(job->job.type, "voice");
}


/* One more than the model is given, or a larger one, it does not see. */
static void
media_image(turn_t *turn, turn_job_t *job, const char *path, const char *type,
    int64_t bytes)
{
    if (media_nimages(turn) >= turn->worker->media.images
        || bytes > turn->worker->media.image_bytes)
    {
        return;
    }

    if (job->images == NULL) {
        job->images = arena_get(turn->claim->arena, CHANNEL_MEDIA_FILES
                                                    * sizeof(turn_image_t));
    }

    if (job->images != NULL && job->nimages < CHANNEL_MEDIA_FILES) {
        job->images[job->nimages++] = (turn_image_t) { path, type };
    }
}


static long
media_nimages(const turn_t *turn)
{
    long    n;
    size_t  i;

    for (i = 0, n = 0; i < turn->njobs; i++) {
        n += (long) turn->jobs[i].nimages;
    }

    return n;
}


void
media_drop(turn_t *turn, const char *listed)
{
    const char           *path;
    setter_str_t          left, one;
    setter_json_value_t   value;

    if (listed == NULL || turn->worker->media.dir == NULL) {
        return;
    }

    left = (setter_str_t) { strlen(listed), listed };

    while (setter_json_next(&left, &one)) {
        if (setter_json_read(one.data, one.len, 0, media_paths, 1, &value,
                             NULL, arena_alloc(turn->claim->arena))
            == SETTER_JSON_OK
            && value.text.len > 0)
        {
            path = arena_copy(turn->claim->arena, value.text.data,
                              value.text.len);
            if (path != NULL) {
                media_delete(turn->worker->media.dir, path);
            }
        }
    }
}


int
media_wanted(const char *types, setter_str_t type)
{
    size_t  len;

    for ( /* void */ ; *types != '\0'; types += len) {
        types += strspn(types, " ,");
        len = strcspn(types, " ,");

        if (len > 0 && types[len - 1] == '*') {
            if (type.len >= len - 1 && memcmp(types, type.data, len - 1) == 0)
            {
                return 1;
            }

        } else if (len > 0 && type.len == len
                   && memcmp(types, type.data, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
media_failed(turn_t *turn, const turn_job_t *job, const char *reason,
    setter_buf_t *listed)
{
    setter_str_t  text;

    log_warn("a file cannot be had", "tenant", turn->tenant, "job", job->id,
             "reason", reason);

    text.data = reason;
    text.len = strlen(reason);
    setter_buf_byte(listed, '{');
    setter_json_member(listed, "error", text);
    setter_buf_byte(listed, '}');
}
