/*
 * channel_send(): long texts in parts, through a provider that does as it is
 * told.
 */

#include "unit.h"

#include "channel/channel.h"
#include "runtime/arena.h"


static channel_result_e  script[8];     /* what each send comes to */
static int               nsent;
static char              sent[8][64];   /* "id: text" */


static channel_result_e
send_text(const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena)
{
    (void) account;

    memset(answer, 0, sizeof(channel_answer_t));
    answer->retry_after_ms = -1;
    answer->result = script[nsent];
    snprintf(answer->reason, sizeof(answer->reason), "as told");
    snprintf(sent[nsent], sizeof(sent[0]), "%.*s: %.*s",
             (int) message->message_id.len,
             message->message_id.len > 0 ? message->message_id.data : "",
             (int) message->text.len, message->text.data);
    answer->provider_id.data = arena_printf(arena, "p%d", nsent);
    answer->provider_id.len = 2;
    nsent++;

    return answer->result;
}


static const channel_t  channel = {
    .name = "told", .send = send_text, .max_text = 10
};


typedef struct {
    const char        *text;
    channel_result_e   script[8];
    channel_result_e   result;
    const char        *reason;
    const char        *sent[8];
    const char        *id;
} sends_t;

static const sends_t  sends[] = {
    { "short", { CHANNEL_SENT }, CHANNEL_SENT, "as told", { "m: short" },
      "p0" },
    { "one two three four", { CHANNEL_SENT, CHANNEL_SENT }, CHANNEL_SENT,
      "as told", { ": one two", "m: three four" }, "p1" },

    /* nothing has arrived: as if it were one */
    { "one two three four", { CHANNEL_NOT_SENT }, CHANNEL_NOT_SENT, "as told",
      { ": one two" }, NULL },
    { "one two three four", { CHANNEL_FAILED }, CHANNEL_FAILED, "as told",
      { ": one two" }, NULL },
    { "one two three four", { CHANNEL_WITHHELD }, CHANNEL_WITHHELD, "as told",
      { ": one two" }, NULL },

    /* the beginning has */
    { "one two three four", { CHANNEL_SENT, CHANNEL_FAILED }, CHANNEL_UNKNOWN,
      "part 2: as told", { ": one two", "m: three four" }, NULL },
    { "one two three four", { CHANNEL_SENT, CHANNEL_UNKNOWN },
      CHANNEL_UNKNOWN, "part 2: as told", { ": one two", "m: three four" },
      NULL },
    { "one two three four five", { CHANNEL_SENT, CHANNEL_NOT_SENT,
      CHANNEL_SENT, CHANNEL_SENT }, CHANNEL_SENT, "as told",
      { ": one two", ": three four", ": three four", "m: five" }, "p3" },
    { "one two three four five", { CHANNEL_SENT, CHANNEL_NOT_SENT,
      CHANNEL_NOT_SENT, CHANNEL_NOT_SENT }, CHANNEL_UNKNOWN,
      "part 2: as told", { ": one two", ": three four", ": three four",
      ": three four" }, NULL },

    /* blanks at the end are no part */
    { "one two three four    \n  ", { CHANNEL_SENT, CHANNEL_SENT },
      CHANNEL_SENT, "as told", { ": one two", "m: three four" }, "p1" },

    /* blank: the provider says what it thinks of it */
    { "   ", { CHANNEL_FAILED }, CHANNEL_FAILED, "as told", { "m:    " },
      NULL },
};


static void
send_one(void *data)
{
    int                 i;
    arena_t            *arena;
    const sends_t      *one = data;
    channel_answer_t    answer;
    channel_message_t   message;

    nsent = 0;
    memcpy(script, one->script, sizeof(script));
    memset(&message, 0, sizeof(message));
    message.message_id = (setter_str_t) setter_str("m");
    message.text.data = one->text;
    message.text.len = strlen(one->text);
    arena = arena_create();

    assert_int_equal(channel_send(&channel, NULL, &message, &answer, arena),
                     one->result);
    assert_int_equal(answer.result, one->result);
    assert_string_equal(answer.reason, one->reason);

    for (i = 0; i < nsent; i++) {
        assert_non_null(one->sent[i]);
        assert_string_equal(sent[i], one->sent[i]);
    }

    assert_null(one->sent[i]);

    if (one->id != NULL) {
        assert_memory_equal(answer.provider_id.data, one->id, 2);
    }

    arena_destroy(arena);
}


static void
test_parts(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(sends) / sizeof(sends[0]); i++) {
        print_message("# %zu: %s\n", i, sends[i].text);
        unit_run(send_one, (void *) &sends[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parts)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_parts", tests, unit_loop,
                                       NULL);
}
