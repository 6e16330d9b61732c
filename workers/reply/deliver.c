/*
 * No provider takes a key that would make a repeated send harmless.  So the
 * reply is marked "sending" before the first byte leaves, and whoever finds
 * it so does not send it again.
 */

#include <string.h>

#include "reply/account.h"
#include "reply/deliver.h"
#include "reply/pace.h"
#include "reply/record.h"
#include "reply/rules.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define DELIVER_TRIES     3
#define DELIVER_SETUP_MS  60000     /* until a person may have mended it */


/* What the check before the first byte needs. */
typedef struct {
    const turn_t  *turn;
    int64_t        deadline;        /* the send's, loop_now_ms() scale */
} deliver_check_t;


static turn_end_e deliver_setup(turn_t *turn, const char *reason);
static turn_end_e deliver_once(turn_t *turn, channel_answer_t *answer);
static turn_end_e deliver_lease(turn_t *turn);
static turn_end_e deliver_fence(turn_t *turn);
static turn_end_e deliver_held(turn_t *turn);
static void deliver_send(turn_t *turn, channel_answer_t *answer);
static setter_str_t deliver_callback(turn_t *turn);
static int deliver_late(void *data);
static turn_end_e deliver_mark(turn_t *turn, const channel_answer_t *answer);
static setter_str_t deliver_str(const char *text);


turn_end_e
deliver_check(turn_t *turn)
{
    const char  *missing;
    turn_end_e   end;

    if (channel_find(deliver_str(turn->reply.provider)) == NULL) {
        return turn_ends(turn, TURN_AGAIN, -1, "unknown provider");
    }

    end = account_find(turn, &missing);
    if (end != TURN_GOES_ON) {
        return end;
    }

    return missing == NULL ? TURN_GOES_ON : deliver_setup(turn, missing);
}


/* Whoever can mend it is told; the jobs wait, and it is no fault of theirs. */
static turn_end_e
deliver_setup(turn_t *turn, const char *reason)
{
    log_error("the provider cannot be used", "provider", turn->reply.provider,
              "reason", reason);
    return turn_ends(turn, TURN_BACK,
                     loop_backoff(1, DELIVER_SETUP_MS, DELIVER_SETUP_MS),
                     reason);
}


/* The waiting is done first; a send that has begun is seen to its end. */
turn_end_e
deliver_reply(turn_t *turn)
{
    int               tries;
    turn_end_e        end;
    channel_answer_t  answer;

    end = pace_wait(turn);
    if (end != TURN_GOES_ON) {
        return end;
    }

    task_shield();

    for (tries = 0; tries < DELIVER_TRIES; tries++) {
        end = deliver_once(turn, &answer);
        if (end != TURN_GOES_ON) {
            return end;
        }

        if (answer.result != CHANNEL_WITHHELD) {
            return deliver_mark(turn, &answer);
        }

        if (record_unsent(turn, "the lease was too short") != RECORD_OK) {
            break;
        }
    }

    return turn_ends(turn, TURN_BACK, -1, "the lease was too short");
}


/*
 * One send.  The lease is made to outlast it; where it does not when the
 * connection stands at last, the send is withheld.
 */
static turn_end_e
deliver_once(turn_t *turn, channel_answer_t *answer)
{
    turn_end_e  end;

    turn->sending = 1;

    end = deliver_lease(turn);
    if (end == TURN_GOES_ON) {
        end = deliver_fence(turn);
    }

    if (end == TURN_GOES_ON) {
        deliver_send(turn, answer);
    }

    turn->sending = 0;
    return end;
}


static turn_end_e
deliver_lease(turn_t *turn)
{
    unsigned char     stale;
    queue_settings_t  settings;

    settings = turn->worker->queue;
    settings.lease_ms += turn->worker->send_timeout_ms;

    if (queue_extend(turn->worker->redis, &settings, &turn->claim, 1, &stale)
        != QUEUE_OK)
    {
        return turn_ends(turn, TURN_BACK, -1, "the lease was not extended");
    }

    return stale ? turn_ends(turn, TURN_LOST, 0, "the lease was lost")
                 : TURN_GOES_ON;
}


static turn_end_e
deliver_fence(turn_t *turn)
{
    switch (record_sending(turn)) {

    case RECORD_OK:
        turn_step(turn, "sending");
        return TURN_GOES_ON;

    case RECORD_HELD:
        return deliver_held(turn);

    default:
        /* it may be marked all the same, and it was not sent */
        record_unsent(turn, "the record was away");
        return turn_ends(turn, TURN_BACK, -1, "the record was away");
    }
}


/* The fence held: where that will not change, the reply is dropped. */
static turn_end_e
deliver_held(turn_t *turn)
{
    turn_end_e   end;
    const char  *status, *reason;

    if (record_held(turn, &status, &reason) != RECORD_OK || reason == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "a later turn has begun");
    }

    if (reason != record_closed) {
        return turn_settle(turn, "failed", NULL, status, reason);
    }

    end = rules_closed(turn);

    return end == TURN_GOES_ON ? deliver_fence(turn) : end;
}


static void
deliver_send(turn_t *turn, channel_answer_t *answer)
{
    int64_t            started;
    turn_reply_t      *reply;
    deliver_check_t    check;
    channel_message_t  message;

    started = loop_now_ms();
    reply = &turn->reply;

    check.turn = turn;
    check.deadline = started + turn->worker->send_timeout_ms;

    memset(&message, 0, sizeof(message));
    message.message_id = deliver_str(reply->id);
    message.to = deliver_str(reply->address);
    message.from = deliver_str(reply->sender);
    message.text = deliver_str(reply->text);
    message.template = deliver_str(reply->template);
    message.attached = deliver_str(reply->attached);
    message.surface = deliver_str(reply->surface);
    message.callback = deliver_callback(turn);
    message.timeout_ms = turn->worker->send_timeout_ms;
    message.before_send = deliver_late;
    message.before_send_data = &check;

    channel_send(channel_find(deliver_str(reply->provider)), &turn->account,
                 &message, answer, turn->claim->arena);

    turn->send_ms = loop_now_ms() - started;
}


/* nginx/twilio.conf has it */
static setter_str_t
deliver_callback(turn_t *turn)
{
    size_t       len;
    const char  *url;

    url = turn->worker->public_url;
    len = url != NULL ? strlen(url) : 0;

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }

    return deliver_str(len == 0 ? NULL
                       : arena_printf(turn->claim->arena,
                                      "%.*s/webhook/%s/%s?setter_id=%s",
                                      (int) len, url, turn->reply.provider,
                                      turn->tenant, turn->reply.id));
}


/* 0 while the lease outlasts the send's deadline, and that has not passed. */
static int
deliver_late(void *data)
{
    deliver_check_t  *check = data;

    return check->turn->lost || loop_now_ms() >= check->deadline
           || check->turn->claim->lease_until <= check->deadline;
}


static turn_end_e
deliver_mark(turn_t *turn, const channel_answer_t *answer)
{
    const char  *id;

    switch (answer->result) {

    case CHANNEL_SENT:
        turn_step(turn, "sent");
        id = answer->provider_id.len == 0 ? NULL
             : arena_copy(turn->claim->arena, answer->provider_id.data,
                          answer->provider_id.len);
        return turn_settle(turn, "sent", id, "done", NULL);

    case CHANNEL_FAILED:

        /* who told the provider is not to be tried again */
        if (answer->opted_out) {
            record_opted(turn, turn->reply.provider, turn->reply.address, 1);
        }

        return turn_settle(turn, "failed", NULL, "failed", answer->reason);

    case CHANNEL_NOT_SENT:
        pace_learn(turn, answer);
        record_unsent(turn, answer->reason);
        return turn_ends(turn, TURN_AGAIN, answer->retry_after_ms,
                         answer->reason);

    case CHANNEL_SETUP:
        record_unsent(turn, answer->reason);
        return deliver_setup(turn, answer->reason);

    default:
        return turn_settle(turn, "unknown", NULL, "done", answer->reason);
    }
}


static setter_str_t
deliver_str(const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = text == NULL ? 0 : strlen(text);
    return str;
}
