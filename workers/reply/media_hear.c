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


static void media_listen(turn_t *turn, turn_job_t *job,
    llm_recording_t *recording, arena_t *arena);
static void media_say(turn_t *turn, turn_job_t *job, setter_str_t text);


/* As many at once as are fetched: each is in memory for so long. */
void
media_hear(turn_t *turn, turn_job_t *job, const char *path, const char *type)
{
    char             *data;
    size_t            len;
    arena_t          *arena;
    worker_t         *worker;
    llm_recording_t   recording;

    worker = turn->worker;

    if (worker->media.transcribe_model == NULL
        || task_sem_take(&worker->hearing, TASK_FOREVER) != TASK_OK)
    {
        return;
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
        media_listen(turn, job, &recording, arena);
    }

    arena_destroy(arena);
    free(data);
    task_sem_give(&worker->hearing);
}


static void
media_listen(turn_t *turn, turn_job_t *job, llm_recording_t *recording,
    arena_t *arena)
{
    unsigned         tries;
    llm_answer_t     answer;
    llm_settings_t   llm;

    memset(&answer, 0, sizeof(answer));
    llm = turn->worker->llm;
    llm.model = turn->worker->media.transcribe_model;

    for (tries = 1; recording->name != NULL; tries++) {
        if (llm_transcribe(&llm, recording, &answer, arena) != LLM_RETRY
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
