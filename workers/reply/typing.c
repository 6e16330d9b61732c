#include <string.h>

#include "reply/typing.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define TYPING_LOOK_MS   200        /* whether the model has answered */
#define TYPING_FIRST_MS  1000       /* it is not worth it before */
#define TYPING_AGAIN_MS  20000      /* providers show it for 25 s */
#define TYPING_CALL_MS   5000


static void typing_show(void *data);
static setter_str_t typing_str(const char *text);


void
typing_start(turn_t *turn)
{
    const channel_t  *channel;

    channel = channel_find(typing_str(turn->reply.provider));

    turn->typing = turn->shows && channel != NULL && channel->typing != NULL
                   && turn->last->job.provider_id.len > 0;
    turn->typing_ms = loop_now_ms() + TYPING_FIRST_MS;
}


void
typing_stop(turn_t *turn)
{
    turn->typing = 0;
}


/* One task looks after all turns, and starts one for each call. */
void
typing_run(void *data)
{
    turn_t    *turn;
    worker_t  *worker = data;

    while (task_sleep(TYPING_LOOK_MS) == TASK_OK) {
        LIST_FOREACH(turn, &worker->turns, link) {
            if (!turn->typing || loop_now_ms() < turn->typing_ms) {
                continue;
            }

            turn->typing_ms = loop_now_ms() + TYPING_AGAIN_MS;
            turn_pin(turn);

            if (task_start("typing", typing_show, turn) == NULL) {
                turn_unpin(turn);
            }
        }
    }
}


/* The turn may end meanwhile: its memory stays. */
static void
typing_show(void *data)
{
    turn_t             *turn = data;
    arena_t            *arena;
    const channel_t    *channel;
    channel_answer_t    answer;
    channel_message_t   message;

    arena = arena_create();
    channel = channel_find(typing_str(turn->reply.provider));

    if (arena != NULL && turn->typing) {
        memset(&message, 0, sizeof(message));
        message.message_id = turn->last->job.provider_id;
        message.from = typing_str(turn->reply.sender);
        message.to = typing_str(turn->reply.address);
        message.timeout_ms = TYPING_CALL_MS;

        if (channel->typing(&turn->account, &message, &answer, arena)
            != CHANNEL_SENT)
        {
            log_debug("that an answer is being written cannot be shown",
                      "provider", channel->name, "reason", answer.reason);
        }
    }

    if (arena != NULL) {
        arena_destroy(arena);
    }

    turn_unpin(turn);
}


static setter_str_t
typing_str(const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = text == NULL ? 0 : strlen(text);

    return str;
}
