/*
 * The rules of delivery, for every channel, against the sandbox: what is said
 * of a message must be what became of it.
 */

#include "sandbox.h"

#include "channel/provider.h"


typedef struct {
    const char        *behaviour;       /* of the channel's endpoint */
    channel_result_e   result;
    int                sent;            /* messages the provider took */
    int64_t            retry_after_ms;
} fate_t;


static const fate_t  fates[] = {
    { "{}", CHANNEL_SENT, 1, -1 },
    { "{\"latency_ms\":50}", CHANNEL_SENT, 1, -1 },
    { "{\"status\":{\"400\":1}}", CHANNEL_FAILED, 0, -1 },
    { "{\"status\":{\"401\":1}}", CHANNEL_SETUP, 0, -1 },
    { "{\"status\":{\"429\":1},\"retry_after\":2}", CHANNEL_NOT_SENT, 0,
      2000 },
    { "{\"status\":{\"500\":1}}", CHANNEL_NOT_SENT, 0, -1 },
    { "{\"status\":{\"502\":1}}", CHANNEL_UNKNOWN, 0, -1 },
    { "{\"timeout\":1}", CHANNEL_UNKNOWN, 0, -1 },
    { "{\"cut_after_accept\":1}", CHANNEL_UNKNOWN, 1, -1 },
    { "{\"garbage\":1}", CHANNEL_UNKNOWN, 1, -1 },
};

#define NFATES  (sizeof(fates) / sizeof(fates[0]))


static const channel_t *const  providers[] = {
    &channel_infobip,
    &channel_manychat,
};

#define NPROVIDERS  (sizeof(providers) / sizeof(providers[0]))


static int  asked;      /* how often before_send was */


static int
let_go(void *data)
{
    (void) data;

    asked++;
    return 0;
}


static int
withhold(void *data)
{
    (void) data;

    asked++;
    return 1;
}


static int
count_sent(arena_t *arena)
{
    int          n;
    const char  *p;

    n = 0;
    p = sandbox_ask("GET", "/sandbox/sent", NULL, arena);

    while ((p = strstr(p, "\"seq\":")) != NULL) {
        p++;
        n++;
    }

    return n;
}


static channel_result_e
send_text(const channel_t *channel, const char *url,
    int (*before_send)(void *data), channel_answer_t *answer, arena_t *arena)
{
    channel_account_t  account = { .base_url = url,
                                   .api_key = "345:key",
                                   .sender = "15550100299" };
    channel_message_t  message = {
        .message_id = setter_str("0190-1"), .to = setter_str("15550104330"),
        .text = setter_str("Yes."), .surface = setter_str("instagram"),
        .timeout_ms = 300, .before_send = before_send,
    };

    asked = 0;
    return channel->send(&account, &message, answer, arena);
}


/* Each fate on a connection that is kept from the message before. */
static void
run_fates(void *arg)
{
    int                before;
    size_t             i, k;
    arena_t           *arena;
    channel_answer_t   answer;
    const channel_t   *channel;

    (void) arg;

    for (k = 0; k < NPROVIDERS; k++) {
        channel = providers[k];

        for (i = 0; i < NFATES; i++) {
            print_message("# %s %s\n", channel->name, fates[i].behaviour);
            arena = arena_create();
            sandbox_behave("{}", arena);
            assert_int_equal(send_text(channel, sandbox_url, let_go, &answer,
                                       arena), CHANNEL_SENT);
            before = count_sent(arena);

            sandbox_behave(arena_printf(arena, "{\"%s\":%s}", channel->name,
                                        fates[i].behaviour), arena);

            assert_int_equal(send_text(channel, sandbox_url, let_go, &answer,
                                       arena), fates[i].result);
            assert_int_equal(answer.result, fates[i].result);
            assert_int_equal(answer.retry_after_ms, fates[i].retry_after_ms);
            assert_true(asked >= 1);
            assert_int_equal(count_sent(arena) - before, fates[i].sent);
            arena_destroy(arena);
        }
    }
}


static void
run_withheld(void *arg)
{
    size_t             k;
    arena_t           *arena;
    channel_answer_t   answer;

    (void) arg;

    arena = arena_create();
    sandbox_ask("DELETE", "/sandbox/behaviour", NULL, arena);
    sandbox_ask("DELETE", "/sandbox/calls", NULL, arena);

    for (k = 0; k < NPROVIDERS; k++) {
        assert_int_equal(send_text(providers[k], sandbox_url, withhold,
                                   &answer, arena), CHANNEL_WITHHELD);
        assert_int_equal(asked, 1);
    }

    assert_null(strstr(sandbox_ask("GET", "/sandbox/calls", NULL, arena),
                       "\"count\":1"));
    arena_destroy(arena);
}


static void
run_unreachable(void *arg)
{
    size_t             k;
    arena_t           *arena;
    channel_answer_t   answer;

    (void) arg;

    arena = arena_create();

    for (k = 0; k < NPROVIDERS; k++) {
        assert_int_equal(send_text(providers[k], "http://127.0.0.1:1",
                                   let_go, &answer, arena),
                         CHANNEL_NOT_SENT);
        assert_int_equal(asked, 0);
        assert_true(answer.reason[0] != '\0');
    }

    arena_destroy(arena);
}


static void
run_sender(void *arg)
{
    arena_t           *arena;
    channel_answer_t  *answer;

    arena = arena_create();
    answer = arg;
    (void) send_text(&channel_manychat, sandbox_url, let_go, answer, arena);
    arena_destroy(arena);
}


/* Cancelled while the provider has it: nobody knows. */
static void
run_cancelled(void *arg)
{
    task_t            *sender;
    arena_t           *arena;
    channel_answer_t   answer;

    (void) arg;

    arena = arena_create();
    sandbox_behave("{\"manychat\":{\"timeout\":1}}", arena);

    answer.result = CHANNEL_SENT;
    sender = task_start("sender", run_sender, &answer);
    assert_non_null(sender);

    while (strstr(sandbox_ask("GET", "/sandbox/calls", NULL, arena),
                  "\"open\":1") == NULL)
    {
        assert_int_equal(task_sleep(5), TASK_OK);
    }

    task_cancel(sender);

    while (task_count() > 1) {
        assert_int_equal(task_sleep(1), TASK_OK);
    }

    assert_int_equal(answer.result, CHANNEL_UNKNOWN);
    arena_destroy(arena);
}


static void
test_fates(void **state)
{
    (void) state;
    unit_run(run_fates, NULL);
}


static void
test_withheld(void **state)
{
    (void) state;
    unit_run(run_withheld, NULL);
}


static void
test_unreachable(void **state)
{
    (void) state;
    unit_run(run_unreachable, NULL);
}


static void
test_cancelled(void **state)
{
    (void) state;
    unit_run(run_cancelled, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fates),
        cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_cancelled),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, sandbox_start, sandbox_stop);
}
