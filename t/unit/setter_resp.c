/*
 * setter_resp.h: commands, replies and limits.
 */

#include "setter_resp_client.h"


static void
test_formats(void **state)
{
    size_t        len;
    client_t      client;
    const char   *data;

    const char   *argv[] = { "SET", "a\0b", "" };
    const size_t  argvlen[] = { 3, 3, 0 };

    (void) state;

    client_init(&client, 10, 1000);

    assert_int_equal(setter_resp_output(&client.resp, &data), 0);

    assert_non_null(setter_resp_command(&client.resp, 3, argv, argvlen, NULL,
                                        NULL));

    len = setter_resp_output(&client.resp, &data);
    assert_int_equal(len, 28);
    assert_memory_equal(data, "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n",
                        28);

    setter_resp_written(&client.resp, 18);
    len = setter_resp_output(&client.resp, &data);
    assert_int_equal(len, 10);
    assert_memory_equal(data, "\0b\r\n$0\r\n\r\n", 10);

    setter_resp_written(&client.resp, 10);
    assert_int_equal(setter_resp_output(&client.resp, &data), 0);

    /* no handler: the reply is dropped */
    assert_int_equal(feed(&client, "+OK\r\n"), SETTER_OK);
    assert_int_equal(client.resp.pending, 0);

    setter_resp_free(&client.resp);
}


static const char  replies[] =
    "+OK\r\n"
    ":42\r\n"
    "$5\r\nhello\r\n"
    "$-1\r\n"
    "-ERR no\r\n"
    "*3\r\n:1\r\n*2\r\n$0\r\n\r\n*-1\r\n$2\r\nxy\r\n"
    "*0\r\n";

static const char  replies_log[] =
    "a=OK; b=42; c=hello; d=nil; e=-ERR no; f=[1,[,nil,],xy,]; g=[]; ";


static void
commands(client_t *client, const char *const *names)
{
    while (*names != NULL) {
        assert_non_null(command(client, *names++));
    }
}


static const char *const  seven[] = { "a", "b", "c", "d", "e", "f", "g",
                                      NULL };


static void
test_split_everywhere(void **state)
{
    size_t    at, last;
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);
    last = sizeof(replies) - 1;

    for (at = 0; at <= last; at++) {
        commands(&client, seven);
        flush(&client, 0);

        assert_int_equal(setter_resp_feed(&client.resp, replies, at),
                         SETTER_OK);
        assert_int_equal(setter_resp_feed(&client.resp, replies + at,
                                          last - at),
                         SETTER_OK);
        assert_log(&client, replies_log);
        assert_int_equal(client.resp.pending, 0);
    }

    setter_resp_free(&client.resp);
}


static void
test_byte_by_byte(void **state)
{
    size_t    i;
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);
    commands(&client, seven);
    flush(&client, 0);

    for (i = 0; i < sizeof(replies) - 1; i++) {
        assert_int_equal(setter_resp_feed(&client.resp, replies + i, 1),
                         SETTER_OK);
    }

    assert_log(&client, replies_log);
    setter_resp_free(&client.resp);
}


static void
test_lost_interest(void **state)
{
    client_t              client;
    setter_resp_entry_t  *entry;

    (void) state;

    client_init(&client, 10, 1000);

    command(&client, "a");
    entry = command(&client, "b");
    command(&client, "c");
    flush(&client, 0);

    entry->handler = NULL;
    entry->data = NULL;

    assert_int_equal(feed(&client, "+1\r\n+2\r\n+3\r\n"), SETTER_OK);
    assert_log(&client, "a=1; c=3; ");

    setter_resp_free(&client.resp);
}


static void
test_handler_appends(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);

    command(&client, "a");
    command(&client, "b");
    flush(&client, 0);

    client.again = 2;
    assert_int_equal(feed(&client, "+1\r\n+2\r\n"), SETTER_OK);
    assert_log(&client, "a=1; b=2; ");
    assert_int_equal(client.resp.pending, 2);

    flush(&client, 0);
    assert_int_equal(feed(&client, "+3\r\n+4\r\n"), SETTER_OK);
    assert_log(&client, "again=3; again=4; ");

    setter_resp_free(&client.resp);
}


static void
test_bounded_entries(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 2, 1000);

    assert_non_null(command(&client, "a"));
    assert_non_null(command(&client, "b"));
    assert_null(command(&client, "c"));

    flush(&client, 0);
    assert_null(command(&client, "c"));

    assert_int_equal(feed(&client, "+1\r\n"), SETTER_OK);
    assert_non_null(command(&client, "c"));
    assert_null(command(&client, "d"));

    setter_resp_closed(&client.resp);
    assert_log(&client, "a=1; b unknown; c unsent; ");

    setter_resp_free(&client.resp);
}


static void
test_bounded_bytes(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 1000, 30);

    assert_non_null(command(&client, "a"));
    assert_non_null(command(&client, "b"));
    assert_null(command(&client, "c"));

    flush(&client, 3);
    assert_non_null(command(&client, "c"));
    assert_null(command(&client, "d"));

    /* one that can never fit changes nothing */
    flush(&client, 0);
    assert_null(command(&client, "a command that is much too long for it"));
    assert_int_equal(client.resp.pending, 3);

    assert_int_equal(feed(&client, "+1\r\n+2\r\n+3\r\n"), SETTER_OK);
    assert_log(&client, "a=1; b=2; c=3; ");

    setter_resp_free(&client.resp);
}


/* The bytes come out as they went in, however they are written. */
static void
test_output_stays_in_order(void **state)
{
    int            i;
    char           text[512];
    size_t         len, n, argvlen;
    client_t       client;
    const char    *data, *arg;
    unsigned char  sent, got;

    (void) state;

    client_init(&client, 100000, 20000);
    srand(1);
    arg = text;
    sent = 0;
    got = 0;

    for (i = 0; i < 20000; i++) {

        /* arguments of one repeated byte, counting up */
        argvlen = 100 + rand() % 400;
        memset(text, 'a' + sent % 26, argvlen);

        if (setter_resp_command(&client.resp, 1, &arg, &argvlen, NULL, NULL)
            != NULL)
        {
            sent++;
        }

        len = setter_resp_output(&client.resp, &data);
        assert_true(len <= 20000);
        n = rand() % 3 > 0 ? len * (rand() % 100) / 100 : 0;

        for ( /* void */ ; n > 0; n--) {
            if (*data == '*') {
                got++;

            } else if (*data >= 'a') {
                assert_int_equal(*data, 'a' + (unsigned char) (got - 1) % 26);
            }

            data++;
            setter_resp_written(&client.resp, 1);
        }
    }

    flush(&client, 0);
    assert_true(client.resp.out_size <= 2 * 20000 + 4096);
    assert_int_equal(client.resp.appended, client.resp.written);

    setter_resp_free(&client.resp);
}


typedef struct {
    size_t  replies, bytes;
} sum_t;


static void
on_big_reply(void *data, setter_resp_outcome_e outcome, redisReply *reply)
{
    size_t  i;
    sum_t  *sum;

    sum = data;
    assert_int_equal(outcome, SETTER_RESP_REPLIED);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);

    for (i = 0; i < reply->len; i += 4099) {
        assert_int_equal(reply->str[i], 'x');
    }

    sum->replies++;
    sum->bytes += reply->len;
}


static void
test_big_replies(void **state)
{
    int          i;
    char        *block;
    size_t       j, len;
    sum_t        sum = { 0, 0 };
    client_t     client;
    const char  *name;

    (void) state;

    client_init(&client, 10, 1000);
    block = malloc(65536);
    assert_non_null(block);
    memset(block, 'x', 65536);
    name = "GET";
    len = 3;

    for (i = 0; i < 3; i++) {
        setter_resp_command(&client.resp, 1, &name, &len, on_big_reply, &sum);
        flush(&client, 0);
        assert_int_equal(feed(&client, "$16777216\r\n"), SETTER_OK);

        for (j = 0; j < 16777216 / 65536; j++) {
            assert_int_equal(setter_resp_feed(&client.resp, block, 65536),
                             SETTER_OK);
        }

        assert_int_equal(feed(&client, "\r\n"), SETTER_OK);
    }

    assert_int_equal(sum.replies, 3);
    assert_int_equal(sum.bytes, 3 * 16777216);

    free(block);
    setter_resp_free(&client.resp);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_formats),
    cmocka_unit_test(test_split_everywhere),
    cmocka_unit_test(test_byte_by_byte),
    cmocka_unit_test(test_lost_interest),
    cmocka_unit_test(test_handler_appends),
    cmocka_unit_test(test_bounded_entries),
    cmocka_unit_test(test_bounded_bytes),
    cmocka_unit_test(test_output_stays_in_order),
    cmocka_unit_test(test_big_replies)
};

unit_main(tests)
