#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "channel/media.h"
#include "llm/transcribe.h"
#include "reply/media.h"
#include "reply/media_store.h"
#include "reply/unit.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "setter_json.h"


#define MEDIA_TRIES       3
#define MEDIA_PAUSE_MS    500


static turn_end_e media_of(turn_t *turn, turn_job_t *job);
static int media_known(turn_t *turn, turn_job_t *job, int *known);
static int media_again(turn_t *turn, turn_job_t *job, setter_str_t listed);
static turn_end_e media_files(turn_t *turn, turn_job_t *job,
    setter_buf_t *listed);
static turn_end_e media_file(turn_t *turn, turn_job_t *job,
    const channel_media_t *media, int n, setter_buf_t *listed);
static channel_media_e media_fetch(turn_t *turn, const channel_media_t *media,
    channel_file_t *file, arena_t *arena);
static void media_use(turn_t *turn, turn_job_t *job,
    const channel_file_t *file, int n, setter_buf_t *listed);
static int media_is_said(const turn_job_t *job, setter_str_t type);
static void media_hear(turn_t *turn, turn_job_t *job,
    const channel_file_t *file);
static void media_say(turn_t *turn, turn_job_t *job, setter_str_t text);
static void media_image(turn_t *turn, turn_job_t *job, setter_str_t type,
    setter_str_t data);
static long media_nimages(const turn_t *turn);
static int media_wanted(const char *types, setter_str_t type);
static void media_failed(turn_t *turn, const turn_job_t *job,
    const char *reason, setter_buf_t *listed);


static const char  media_select[] =
    "SELECT text, media FROM messages"
    " WHERE tenant = $1 AND id = $2 AND media IS NOT NULL";

static const char  media_update[] =
    "UPDATE messages SET text = $3, media = $4::jsonb"
    " WHERE tenant = $1 AND id = $2";


turn_end_e
media_take(turn_t *turn)
{
    size_t       i;
    turn_end_e   end;
    turn_job_t  *job;

    /* a reply that is composed already needs none of it */
    if (turn->worker->media.dir == NULL || turn->reply.state != NULL) {
        return TURN_GOES_ON;
    }

    for (i = 0, end = TURN_GOES_ON; i < turn->njobs && end == TURN_GOES_ON;
         i++)
    {
        job = &turn->jobs[i];

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
    record_e      rc;
    const char   *text;
    turn_end_e    end;
    pg_query_t    query;
    setter_buf_t  listed;
    pg_answer_t   answer;

    if (media_known(turn, job, &known) != 0) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    if (known) {
        return TURN_GOES_ON;
    }

    setter_buf_init(&listed, arena_alloc(turn->claim->arena), 256);
    end = media_files(turn, job, &listed);

    if (end != TURN_GOES_ON || listed.len == 0) {
        return end;
    }

    setter_buf_byte(&listed, '\0');
    text = arena_copy(turn->claim->arena, job->job.text.data,
                      job->job.text.len);

    if (listed.failed || text == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    query = (pg_query_t) {
        media_update, 4, { turn->tenant, job->id, text, listed.data } };

    rc = unit_run(turn, &query, 1, &answer);

    if (rc == RECORD_OK) {
        pg_clear(&answer);
        turn_step(turn, "fetched");
    }

    /* what PostgreSQL does not take was for the memory's sake */
    return rc == RECORD_REFUSED ? TURN_GOES_ON : unit_ends(turn, rc);
}


/*
 * An earlier claim of the job may have fetched it.  *known: there is nothing
 * left to do.  0, or -1: no memory.
 */
static int
media_known(turn_t *turn, turn_job_t *job, int *known)
{
    const char    *text, *listed;
    pg_query_t     query;
    pg_answer_t    row;

    *known = 0;
    query = (pg_query_t) { media_select, 2, { turn->tenant, job->id } };

    if (unit_once(turn, &query, 1, &row) != RECORD_OK) {
        return 0;
    }

    if (pg_rows(&row, 0) == 1) {
        text = pg_text(&row, 0, 0, 0);
        listed = pg_text(&row, 0, 0, 1);
        job->job.text.data = arena_copy(turn->claim->arena, text,
                                        strlen(text));
        job->job.text.len = strlen(text);
        listed = arena_copy(turn->claim->arena, listed, strlen(listed));

        if (job->job.text.data == NULL || listed == NULL) {
            pg_clear(&row);
            return -1;
        }

        *known = media_again(turn, job, (setter_str_t) { strlen(listed),
                                                         listed });
    }

    pg_clear(&row);

    return 0;
}


/* The images, from where they were stored: 1, or 0: one is not there. */
static int
media_again(turn_t *turn, turn_job_t *job, setter_str_t listed)
{
    const char            *path;
    setter_str_t           one, data;
    setter_json_value_t    values[2];
    const media_settings_t  *settings;

    static const setter_json_path_t  paths[] = { { "path", 0 },
                                                 { "type", 0 } };

    settings = &turn->worker->media;

    while (setter_json_next(&listed, &one)) {
        if (setter_json_read(one.data, one.len, 0, paths, 2, values, NULL,
                             arena_alloc(turn->claim->arena))
            != SETTER_JSON_OK
            || values[0].text.len == 0
            || !media_wanted("image/*", values[1].text))
        {
            continue;
        }

        path = arena_copy(turn->claim->arena, values[0].text.data,
                          values[0].text.len);

        if (path == NULL
            || media_load(settings->dir, path, (size_t) settings->image_bytes,
                          &data, turn->claim->arena)
               != 0)
        {
            return 0;
        }

        media_image(turn, job, values[1].text, data);
    }

    return 1;
}


/* All of a message's, as a JSON array; nothing where it names none. */
static turn_end_e
media_files(turn_t *turn, turn_job_t *job, setter_buf_t *listed)
{
    int              i, n;
    turn_end_e       end;
    channel_media_t  media[CHANNEL_MEDIA_FILES];

    n = channel_media_read(job->job.media, media, turn->claim->arena);
    if (n == -1) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    for (i = 0, end = TURN_GOES_ON; i < n && end == TURN_GOES_ON; i++) {
        setter_buf_byte(listed, i == 0 ? '[' : ',');
        end = media_file(turn, job, &media[i], i, listed);
    }

    if (n > 0) {
        setter_buf_byte(listed, ']');
    }

    return end;
}


/* Its bytes are kept no longer than it takes to use them. */
static turn_end_e
media_file(turn_t *turn, turn_job_t *job, const channel_media_t *media,
    int n, setter_buf_t *listed)
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

    if (task_sem_take(&turn->worker->fetches, TASK_FOREVER) != TASK_OK) {
        return turn_cancelled(turn);
    }

    arena = arena_create();
    end = TURN_GOES_ON;

    if (arena == NULL) {
        end = turn_ends(turn, TURN_BACK, -1, "no memory");

    } else if (media_fetch(turn, media, &file, arena)
               == CHANNEL_MEDIA_CANCELLED)
    {
        end = turn_cancelled(turn);

    } else if (file.result == CHANNEL_MEDIA_OK) {
        media_use(turn, job, &file, n, listed);

    } else {
        media_failed(turn, job, file.reason, listed);
    }

    if (arena != NULL) {
        arena_destroy(arena);
    }

    task_sem_give(&turn->worker->fetches);

    return end;
}


static channel_media_e
media_fetch(turn_t *turn, const channel_media_t *media, channel_file_t *file,
    arena_t *arena)
{
    unsigned                 tries;
    const channel_t         *channel;
    const media_settings_t  *settings;

    settings = &turn->worker->media;
    channel = channel_find((setter_str_t) { strlen(turn->reply.provider),
                                            turn->reply.provider });

    for (tries = 1; /* void */ ; tries++) {
        channel_media_fetch(channel, &turn->account, media,
                            (size_t) settings->max_bytes,
                            settings->timeout_ms, file, arena);

        if (file->result != CHANNEL_MEDIA_AGAIN || tries == MEDIA_TRIES) {
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
media_use(turn_t *turn, turn_job_t *job, const channel_file_t *file, int n,
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

    } else {
        where.data = path;
        where.len = strlen(path);
        setter_buf_byte(listed, '{');
        setter_json_member(listed, "path", where);
        setter_json_member(listed, "type", file->type);
        setter_json_name(listed, "bytes");
        setter_buf_number(listed, (int64_t) file->data.len);
        setter_buf_byte(listed, '}');
    }

    if (media_is_said(job, file->type)) {
        media_hear(turn, job, file);

    } else if (media_wanted("image/*", file->type)) {
        media_image(turn, job, file->type, file->data);
    }
}


/* Instagram's recordings are videos without a picture. */
static int
media_is_said(const turn_job_t *job, setter_str_t type)
{
    return media_wanted("audio/*", type)
           || setter_str_is(job->job.type, "audio")
           || setter_str_is(job->job.type, "voice");
}


static void
media_hear(turn_t *turn, turn_job_t *job, const channel_file_t *file)
{
    arena_t          *arena;
    unsigned          tries;
    llm_answer_t      answer;
    llm_settings_t    llm;
    llm_recording_t   recording;

    memset(&answer, 0, sizeof(answer));

    if (turn->worker->media.transcribe_model == NULL) {
        return;
    }

    arena = arena_create();
    llm = turn->worker->llm;
    llm.model = turn->worker->media.transcribe_model;
    recording.data = file->data;
    recording.timeout_ms = turn->worker->llm_timeout_ms / MEDIA_TRIES;

    if (arena == NULL) {
        return;
    }

    recording.name = arena_printf(arena, "recording.%s",
                                  media_ending(file->type));
    recording.type = arena_copy(arena, file->type.data, file->type.len);

    for (tries = 1; recording.name != NULL && recording.type != NULL;
         tries++)
    {
        if (llm_transcribe(&llm, &recording, &answer, arena) != LLM_RETRY
            || tries == MEDIA_TRIES
            || task_sleep(loop_backoff(tries, MEDIA_PAUSE_MS,
                                       4 * MEDIA_PAUSE_MS)) != TASK_OK)
        {
            break;
        }
    }

    if (answer.error == LLM_OK && answer.text.data != NULL) {
        media_say(turn, job, answer.text);

    } else {
        log_error("a recording cannot be transcribed", "tenant", turn->tenant,
                  "job", job->id, "reason", answer.reason);
    }

    arena_destroy(arena);
}


/* What was said takes the place of "[audio]", and goes behind a text. */
static void
media_say(turn_t *turn, turn_job_t *job, setter_str_t text)
{
    const char    *said;
    setter_str_t  *old;

    old = &job->job.text;

    while (text.len > 0 && (unsigned char) text.data[0] <= ' ') {
        text.data++;
        text.len--;
    }

    if (text.len == 0) {
        return;
    }

    said = old->len > 1 && old->data[0] == '[' && old->data[old->len - 1] == ']'
           ? arena_copy(turn->claim->arena, text.data, text.len)
           : arena_printf(turn->claim->arena, "%.*s\n%.*s", (int) old->len,
                          old->data, (int) text.len, text.data);

    if (said != NULL) {
        old->data = said;
        old->len = strlen(said);
    }
}


/* One more than the model is given, or a larger one, it does not see. */
static void
media_image(turn_t *turn, turn_job_t *job, setter_str_t type,
    setter_str_t data)
{
    char                    *url;
    size_t                   head;
    arena_t                 *arena;
    const media_settings_t  *settings;

    arena = turn->claim->arena;
    settings = &turn->worker->media;

    if (media_nimages(turn) >= settings->images
        || data.len > (size_t) settings->image_bytes)
    {
        return;
    }

    if (job->images == NULL) {
        job->images = arena_get(arena, CHANNEL_MEDIA_FILES
                                       * sizeof(setter_str_t));
    }

    head = sizeof("data:;base64,") - 1 + type.len;
    url = arena_get(arena, head + 4 * ((data.len + 2) / 3) + 1);

    if (job->images == NULL || url == NULL) {
        return;
    }

    snprintf(url, head + 1, "data:%.*s;base64,", (int) type.len, type.data);
    job->images[job->nimages].data = url;
    job->images[job->nimages].len = head
        + (size_t) EVP_EncodeBlock((unsigned char *) url + head,
                                   (const unsigned char *) data.data,
                                   (int) data.len);
    job->nimages++;
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


/* types: "audio/ogg image/", with blanks or commas between them; a star is
 * any of its kind. */
static int
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
