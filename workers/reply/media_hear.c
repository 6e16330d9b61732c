/*
 * What is said in a recording.
 */

#include <stdlib.h>
#include <string.h>

#include "llm/transcribe.h"
#include "reply/media.h"
#include "reply/media_store.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define MEDIA_TRIES     3
#define MEDIA_PAUSE_MS  500


static int media_listen(turn_t *turn, turn_job_t *job,
    llm_recording_t *recording, arena_t *arena);
static void media_say(turn_t *turn, turn_job_t *job, setter_str_t text);


/* As many at once as are fetched: each is in memory for so long. */
int
media_hear(turn_t *turn, turn_job_t *job, const char *path, const char *type)
{
    int               rc;
    char             *data;
    size_t            len;
    arena_t          *arena;
    worker_t         *worker;
    llm_recording_t   recording;

    worker = turn->worker;

    if (worker->media.transcribe_model == NULL) {
        return TASK_OK;
    }

    rc = task_sem_take(&worker->hearing, TASK_FOREVER);
    if (rc != TASK_OK) {
        return rc;
    }

    data = media_load(worker->media.dir, path,
                      (size_t) worker->media.max_bytes, &len);
    arena = arena_create();

    if (data != NULL && arena != NULL) {
        recording.data = (setter_str_t) { len, data };
        recording.type = type;
        recording.name = arena_printf(arena, "recording.%s",
                                      media_ending((setter_str_t) {
                                          strlen(type), type }));
        recording.timeout_ms = worker->llm_timeout_ms / MEDIA_TRIES;
        rc = media_listen(turn, job, &recording, arena);
    }

    arena_destroy(arena);
    free(data);
    task_sem_give(&worker->hearing);

    return rc;
}


static int
media_listen(turn_t *turn, turn_job_t *job, llm_recording_t *recording,
    arena_t *arena)
{
    int              rc;
    unsigned         tries;
    llm_answer_t     answer;
    llm_settings_t   llm;

    memset(&answer, 0, sizeof(answer));
    llm = turn->worker->llm;
    llm.model = turn->worker->media.transcribe_model;
    rc = TASK_OK;

    for (tries = 1; recording->name != NULL && rc == TASK_OK; tries++) {
        if (llm_transcribe(&llm, recording, &answer, arena) != LLM_RETRY
            || tries == MEDIA_TRIES)
        {
            break;
        }

        rc = task_sleep(loop_backoff(tries, MEDIA_PAUSE_MS,
                                     4 * MEDIA_PAUSE_MS));
    }

    if (rc != TASK_OK || answer.error == LLM_CANCELLED) {
        return TASK_CANCELLED;
    }

    if (answer.error == LLM_OK && answer.text.data != NULL) {
        media_say(turn, job, answer.text);

    } else {
        log_error("a recording cannot be transcribed", "tenant", turn->tenant,
                  "job", job->id, "reason", answer.reason);
    }

    return TASK_OK;
}


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
