/*
 * setter_resp.h: connections that close, and servers that talk nonsense.
 */

#include "setter_resp_client.h"


/* Each command here is 11 bytes: "*1\r\n$1\r\na\r\n". */
static void
test_unsent_and_unknown(void **state)
{
    size_t       n;
    client_t     client;
    static const char *const  logs[] = {
        "b unsent; c unsent; ",
        "b unknown; c unsent; ",
        "b unknown; c unknown; "
    };

    (void) state;

    client_init(&client, 10, 1000);

    for (n = 0; n <= 22; n++) {
        command(&client, "a");
        flush(&client, 0);
        assert_int_equal(feed(&client, "+1\r\n"), SETTER_OK);
        assert_log(&client, "a=1; ");

        command(&client, "b");
        command(&client, "c");

        if (n > 0) {
            flush(&client, n);
        }

        setter_resp_closed(&client.resp);
        assert_log(&client, logs[n == 0 ? 0 : n <= 11 ? 1 : 2]);
        assert_int_equal(client.resp.pending, 0);
    }

    setter_resp_free(&client.resp);
}


static void
test_closed_in_the_middle_of_a_reply(void **state)
{
    const char  *data;
    client_t     client;

    (void) state;

    client_init(&client, 10, 1000);

    command(&client, "a");
    command(&client, "b");
    flush(&client, 0);
    command(&client, "c");

    assert_int_equal(feed(&client, "+1\r\n$100\r\nhalf"), SETTER_OK);
    setter_resp_closed(&client.resp);
    assert_log(&client, "a=1; b unknown; c unsent; ");

    /* nothing of the old connection is left */
    assert_int_equal(setter_resp_output(&client.resp, &data), 0);

    command(&client, "d");
    flush(&client, 0);
    assert_int_equal(feed(&client, "+4\r\n"), SETTER_OK);
    assert_log(&client, "d=4; ");

    setter_resp_free(&client.resp);
}


/* What is appended meanwhile belongs to the next connection. */
static void
test_handler_appends_while_closing(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);

    command(&client, "a");
    command(&client, "b");
    command(&client, "c");
    flush(&client, 15);

    client.again = 3;
    setter_resp_closed(&client.resp);
    assert_log(&client, "a unknown; b unknown; c unsent; ");
    assert_int_equal(client.resp.pending, 3);

    assert_int_equal(flush(&client, 0), 3 * strlen("*1\r\n$5\r\nagain\r\n"));
    assert_int_equal(feed(&client, "+1\r\n+2\r\n+3\r\n"), SETTER_OK);
    assert_log(&client, "again=1; again=2; again=3; ");

    setter_resp_free(&client.resp);
}


static void
test_unexpected_reply(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);

    assert_int_equal(feed(&client, "-ERR max number of clients reached\r\n"),
                     SETTER_ERROR);
    assert_non_null(strstr(client.resp.error, "max number of clients"));
    setter_resp_closed(&client.resp);

    /* nor is there one for a command that has not wholly left */
    command(&client, "a");
    flush(&client, 10);
    assert_int_equal(feed(&client, "+OK\r\n"), SETTER_ERROR);
    assert_string_equal(client.resp.error, "unexpected reply");
    setter_resp_closed(&client.resp);
    assert_log(&client, "a unknown; ");

    /* what came before it is not lost */
    command(&client, "b");
    flush(&client, 0);
    assert_int_equal(feed(&client, "+1\r\n+2\r\n"), SETTER_ERROR);
    assert_log(&client, "b=1; ");

    setter_resp_closed(&client.resp);
    setter_resp_free(&client.resp);
}


static void
test_garbage(void **state)
{
    size_t                    i;
    client_t                  client;

    static const char *const  bad[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "*2\r\n+1\r\nx\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n",
        "\377\376\r\n"
    };

    (void) state;

    client_init(&client, 10, 1000);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        command(&client, "a");
        command(&client, "b");
        flush(&client, 0);

        assert_int_equal(feed(&client, "+1\r\n"), SETTER_OK);
        assert_int_equal(feed(&client, bad[i]), SETTER_ERROR);
        assert_string_not_equal(client.resp.error, "");

        setter_resp_closed(&client.resp);
        assert_log(&client, "a=1; b unknown; ");
    }

    setter_resp_free(&client.resp);
}


/* No memory is taken for an array on the server's word. */
static void
test_array_too_long(void **state)
{
    client_t  client;

    (void) state;

    client_init(&client, 10, 1000);

    command(&client, "a");
    flush(&client, 0);
    assert_int_equal(feed(&client, "*1048577\r\n"), SETTER_ERROR);
    assert_string_not_equal(client.resp.error, "");
    setter_resp_closed(&client.resp);
    assert_log(&client, "a unknown; ");

    command(&client, "b");
    flush(&client, 0);
    assert_int_equal(feed(&client, "*1048576\r\n:1\r\n"), SETTER_OK);
    setter_resp_closed(&client.resp);
    assert_log(&client, "b unknown; ");

    setter_resp_free(&client.resp);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_unsent_and_unknown),
    cmocka_unit_test(test_closed_in_the_middle_of_a_reply),
    cmocka_unit_test(test_handler_appends_while_closing),
    cmocka_unit_test(test_unexpected_reply),
    cmocka_unit_test(test_garbage),
    cmocka_unit_test(test_array_too_long)
};

unit_main(tests)
