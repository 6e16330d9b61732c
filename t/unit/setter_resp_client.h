/*
 * A client of setter_resp.h without a socket: its handlers write down what
 * they are told, and bytes are moved by hand.
 */

#ifndef SETTER_RESP_CLIENT_H
#define SETTER_RESP_CLIENT_H

#include "setter_unit.h"

#include "setter_resp.h"


typedef struct {
    setter_resp_t   resp;
    char            log[4096];      /* what the handlers were told */
    size_t          len;
    int             again;          /* commands the next handler appends */
} client_t;

/* What a handler is given: its client and the name of its command. */
typedef struct {
    client_t    *client;
    const char  *name;
} call_t;


static inline void on_reply(void *data, setter_resp_outcome_e outcome,
    redisReply *reply);


static inline void
say(client_t *client, const char *text)
{
    size_t  len;

    len = strlen(text);
    assert_true(client->len + len < sizeof(client->log));
    memcpy(client->log + client->len, text, len + 1);
    client->len += len;
}


static inline void
say_reply(client_t *client, const redisReply *reply)
{
    size_t  i;
    char    number[32];

    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
        snprintf(number, sizeof(number), "%lld", reply->integer);
        say(client, number);
        break;

    case REDIS_REPLY_NIL:
        say(client, "nil");
        break;

    case REDIS_REPLY_ARRAY:
        say(client, "[");
        for (i = 0; i < reply->elements; i++) {
            say_reply(client, reply->element[i]);
            say(client, ",");
        }
        say(client, "]");
        break;

    default:
        assert_int_equal(reply->len, strlen(reply->str));
        say(client, reply->type == REDIS_REPLY_ERROR ? "-" : "");
        say(client, reply->str);
    }
}


static inline setter_resp_entry_t *
command(client_t *client, const char *name)
{
    static call_t  calls[1000];
    static int     used;
    size_t         len;

    len = strlen(name);
    used = (used + 1) % 1000;
    calls[used].client = client;
    calls[used].name = name;

    return setter_resp_command(&client->resp, 1, &name, &len, on_reply,
                               &calls[used]);
}


static inline void
on_reply(void *data, setter_resp_outcome_e outcome, redisReply *reply)
{
    call_t    *call;
    client_t  *client;

    call = data;
    client = call->client;

    say(client, call->name);

    if (outcome == SETTER_RESP_REPLIED) {
        say(client, "=");
        say_reply(client, reply);

    } else {
        assert_null(reply);
        say(client, outcome == SETTER_RESP_UNSENT ? " unsent" : " unknown");
    }

    say(client, "; ");

    while (client->again > 0) {
        client->again--;
        assert_non_null(command(client, "again"));
    }
}


static inline void
client_init(client_t *client, size_t max_pending, size_t max_out)
{
    memset(client, 0, sizeof(client_t));
    assert_int_equal(setter_resp_init(&client->resp, max_pending, max_out),
                     SETTER_OK);
}


/* Writes n bytes, or all there are when n is 0; returns what was written. */
static inline size_t
flush(client_t *client, size_t n)
{
    size_t       len;
    const char  *data;

    len = setter_resp_output(&client->resp, &data);

    if (n > 0) {
        assert_true(n <= len);
        len = n;
    }

    setter_resp_written(&client->resp, len);

    return len;
}


static inline int
feed(client_t *client, const char *text)
{
    return setter_resp_feed(&client->resp, text, strlen(text));
}


#define assert_log(client, text)                                              \
    do {                                                                      \
        assert_string_equal((client)->log, text);                             \
        (client)->len = 0;                                                    \
        (client)->log[0] = '\0';                                              \
    } while (0)


#endif /* SETTER_RESP_CLIENT_H */
