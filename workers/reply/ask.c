/*
 * One question to the model, asked again while that can help.
 */

#include <string.h>

#include "reply/ask.h"
#include "reply/media.h"
#include "reply/prompt.h"
#include "reply/typing.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define ASK_PAUSE_MS      500       /* before the second call, then doubling */
#define ASK_MAX_PAUSE_MS  8000
#define ASK_SPREAD_MS     500       /* half or all of it behind a named time */
#define ASK_SETUP_MS      60000     /* until a person may have mended it */


static const char *ask_system(turn_t *turn);
static llm_message_t *ask_prompt(turn_t *turn, size_t *n);
static turn_end_e ask_seen(turn_t *turn, llm_request_t *request,
    llm_message_t *messages);
static size_t ask_live(const turn_t *turn, size_t *images);
static void ask_images(turn_t *turn, llm_message_t *messages, arena_t *arena);
static turn_end_e ask_question(turn_t *turn, llm_request_t *request);
static int ask_blind(turn_t *turn, llm_request_t *request);
static arena_t *ask_call(turn_t *turn, llm_request_t *request,
    llm_answer_t *answer);
static void ask_short(llm_answer_t *answer);
static int64_t ask_pause(const llm_answer_t *answer, unsigned calls);
static turn_end_e ask_failed(turn_t *turn, const llm_answer_t *answer);
static turn_end_e ask_answered(turn_t *turn, const llm_answer_t *answer);


turn_end_e
ask_model(turn_t *turn)
{
    size_t          live, images;
    llm_message_t  *messages;
    llm_request_t   request;

    messages = ask_prompt(turn, &request.nmessages);
    if (messages == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    request.messages = messages;
    live = ask_live(turn, &images);

    return images == 0 ? ask_question(turn, &request)
           : ask_seen(turn, &request, messages + request.nmessages - live);
}


/*
 * Images are in memory while the model looks at them, and the request with
 * them: those of so many turns at once.  messages: of the live jobs, in order.
 */
static turn_end_e
ask_seen(turn_t *turn, llm_request_t *request, llm_message_t *messages)
{
    arena_t     *arena;
    turn_end_e   end;

    if (task_sem_take(&turn->worker->seeing, TASK_FOREVER) != TASK_OK) {
        return turn_cancelled(turn);
    }

    arena = arena_create();

    if (arena == NULL) {
        end = turn_ends(turn, TURN_BACK, -1, "no memory");

    } else {
        ask_images(turn, messages, arena);
        end = ask_question(turn, request);
        arena_destroy(arena);
    }

    task_sem_give(&turn->worker->seeing);

    return end;
}


static size_t
ask_live(const turn_t *turn, size_t *images)
{
    size_t  i, n;

    *images = 0;

    for (i = 0, n = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].live) {
            *images += turn->jobs[i].nimages;
            n++;
        }
    }

    return n;
}


static turn_end_e
ask_question(turn_t *turn, llm_request_t *request)
{
    arena_t       *arena;
    int64_t        started;
    turn_end_e     end;
    llm_answer_t   answer;

    turn_step(turn, "asked");

    started = loop_now_ms();
    typing_start(turn);
    arena = ask_call(turn, request, &answer);

    if (answer.error == LLM_PERMANENT && ask_blind(turn, request)) {
        arena_destroy(arena);
        arena = ask_call(turn, request, &answer);
    }

    typing_stop(turn);
    turn->llm_ms += loop_now_ms() - started;

    end = answer.error == LLM_OK ? ask_answered(turn, &answer)
                                 : ask_failed(turn, &answer);
    arena_destroy(arena);

    return end;
}


/* The tenant's own prompt, or everybody's, and what time it is there. */
static const char *
ask_system(turn_t *turn)
{
    const char  *system;

    system = turn->prompt != NULL ? turn->prompt
                                  : turn->worker->system_prompt;

    return turn->local_time == NULL ? system
           : arena_printf(turn->claim->arena, "%s%sIt is %s.", system,
                          system[0] != '\0' ? "\n\n" : "",
                          turn->local_time);
}


static llm_message_t *
ask_prompt(turn_t *turn, size_t *n)
{
    size_t         i, ntexts;
    const char    *system;
    setter_str_t  *texts;

    system = ask_system(turn);
    texts = arena_get(turn->claim->arena,
                      turn->njobs * sizeof(setter_str_t));
    if (system == NULL || texts == NULL) {
        return NULL;
    }

    for (i = 0, ntexts = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].live) {
            texts[ntexts++] = turn->jobs[i].job.text;
        }
    }

    return prompt_build(turn->claim->arena, system, turn->memory,
                        turn->nmemory, texts, ntexts, n);
}


static void
ask_images(turn_t *turn, llm_message_t *messages, arena_t *arena)
{
    size_t  i;

    for (i = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].live) {
            messages->images = media_see(turn, &turn->jobs[i], arena,
                                         &messages->nimages);
            messages++;
        }
    }
}


/* A model that does not see may refuse what has images: 1 when it had. */
static int
ask_blind(turn_t *turn, llm_request_t *request)
{
    int             had;
    size_t          i;
    llm_message_t  *messages;

    messages = (llm_message_t *) request->messages;

    for (i = 0, had = 0; i < request->nmessages; i++) {
        had |= messages[i].nimages > 0;
        messages[i].nimages = 0;
    }

    if (had) {
        log_warn("the model refuses a question with images, so it is asked"
                 " without", "tenant", turn->tenant, "job", turn_job(turn));
    }

    return had;
}


/*
 * Calls until there is an answer, an error that stays, or too little time.
 * One call may take three quarters of the time, so that a stuck one leaves
 * room for another.  Returns what the answer's memory is of, for the caller to
 * destroy, or NULL: memory is short, which passes.
 */
static arena_t *
ask_call(turn_t *turn, llm_request_t *request, llm_answer_t *answer)
{
    arena_t        *arena;
    int64_t         longest, deadline, left, pause;
    unsigned        calls;
    llm_settings_t  llm;

    llm = turn->worker->llm;

    if (turn->model != NULL) {
        llm.model = turn->model;
    }

    longest = turn->worker->llm_timeout_ms * 3 / 4;
    deadline = loop_now_ms() + turn->worker->llm_timeout_ms;

    for (calls = 1; /* void */ ; calls++) {
        left = deadline - loop_now_ms();
        request->timeout_ms = left < longest ? left : longest;

        arena = arena_create();

        if (arena == NULL) {
            ask_short(answer);

        } else if (llm_call(&llm, request, answer, arena) != LLM_RETRY) {
            return arena;
        }

        pause = ask_pause(answer, calls);

        if (loop_now_ms() + pause >= deadline) {
            return arena;
        }

        arena_destroy(arena);

        if (task_sleep(pause) != TASK_OK) {
            answer->error = LLM_CANCELLED;
            return NULL;
        }
    }
}


static void
ask_short(llm_answer_t *answer)
{
    memset(answer, 0, sizeof(*answer));
    answer->error = LLM_RETRY;
    answer->retry_after_ms = -1;
    strcpy(answer->reason, "no memory");
}


/*
 * A named time is heard, but never shortens the pause: it may be 0 or past.
 * Those who were told the same do not all come back at once.
 */
static int64_t
ask_pause(const llm_answer_t *answer, unsigned calls)
{
    int64_t  named, pause;

    pause = loop_backoff(calls, ASK_PAUSE_MS, ASK_MAX_PAUSE_MS);

    if (answer->retry_after_ms < 0) {
        return pause;
    }

    named = answer->retry_after_ms
            + loop_backoff(1, ASK_SPREAD_MS, ASK_SPREAD_MS);

    return named > pause ? named : pause;
}


static turn_end_e
ask_failed(turn_t *turn, const llm_answer_t *answer)
{
    switch (answer->error) {

    case LLM_CANCELLED:
        return turn_cancelled(turn);

    case LLM_SETUP:
        log_error("the model cannot be used", "reason", answer->reason);
        return turn_ends(turn, TURN_BACK,
                         loop_backoff(1, ASK_SETUP_MS, ASK_SETUP_MS),
                         answer->reason);

    case LLM_PERMANENT:
        return turn_settle(turn, NULL, NULL, "failed", answer->reason);

    default:
        return turn_ends(turn, TURN_AGAIN, answer->retry_after_ms,
                         answer->reason);
    }
}


static turn_end_e
ask_answered(turn_t *turn, const llm_answer_t *answer)
{
    char           id[SETTER_UUID_LEN];
    arena_t       *arena;
    turn_reply_t  *reply;

    arena = turn->claim->arena;
    reply = &turn->reply;

    if (setter_uuid_v7(id, loop_unix_ms()) != SETTER_OK) {
        return turn_ends(turn, TURN_BACK, -1, "no random bytes");
    }

    reply->id = arena_copy(arena, id, sizeof(id));
    reply->text = arena_copy(arena, answer->text.data, answer->text.len);
    reply->model = arena_copy(arena, answer->model.data, answer->model.len);
    reply->prompt_tokens = answer->prompt_tokens;
    reply->completion_tokens = answer->completion_tokens;

    if (reply->id == NULL || reply->text == NULL || reply->model == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    return TURN_GOES_ON;
}
