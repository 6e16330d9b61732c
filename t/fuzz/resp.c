/*
 * The core of the Redis client: whatever a server says, in whatever pieces,
 * each command's handler runs once.
 */

#include "fuzz.h"
#include "setter_depth.h"
#include "setter_resp.h"


#define COMMANDS  40


typedef struct {
    setter_resp_t   resp;
    size_t          sent;
    size_t          called[COMMANDS];
    size_t          again;          /* commands that handlers still append */
    setter_depth_t  depth;
} client_t;

typedef struct {
    client_t  *client;
    size_t     n;
} call_t;


static void feed(client_t *client, const uint8_t *data, size_t size,
    size_t piece);
static void send_command(client_t *client);
static void on_reply(void *data, setter_resp_outcome_e outcome,
    redisReply *reply);
static void look(client_t *client, const redisReply *reply);


static call_t  calls[COMMANDS];


/* The control byte: the size of the pieces, and the number of commands. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           i, n;
    unsigned         control;
    static client_t  client;

    control = fuzz_control(data, &size);
    memset(&client, 0, sizeof(client));
    client.again = 4;
    fuzz_holds(setter_resp_init(&client.resp, COMMANDS, 4096) == SETTER_OK);

    for (i = 0; i <= control / 16; i++) {
        send_command(&client);
    }

    feed(&client, data, size, control % 16);
    setter_resp_closed(&client.resp);

    /* handlers append even now: nothing of it has left */
    client.again = 0;
    setter_resp_closed(&client.resp);

    n = 0;
    for (i = 0; i < client.sent; i++) {
        fuzz_holds(client.called[i] == 1);
        n += client.called[i];
    }
    fuzz_holds(n == client.sent && client.resp.pending == 0);

    setter_resp_free(&client.resp);

    return 0;
}


static void
feed(client_t *client, const uint8_t *data, size_t size, size_t piece)
{
    char        *copy;
    size_t       n, out;
    int          rc;
    const char  *bytes;

    if (piece == 0) {
        piece = size;
    }

    for (rc = SETTER_OK; size > 0 && rc == SETTER_OK; size -= n, data += n) {
        out = setter_resp_output(&client->resp, &bytes);
        setter_resp_written(&client->resp, out);

        n = piece < size ? piece : size;
        copy = malloc(n);
        fuzz_holds(copy != NULL);
        memcpy(copy, data, n);
        rc = setter_resp_feed(&client->resp, copy, n);
        free(copy);
    }

    fuzz_holds(rc == SETTER_OK || client->resp.error[0] != '\0');
}


static void
send_command(client_t *client)
{
    call_t      *call;
    const char  *argv[] = { "GET", "key" };

    if (client->sent == COMMANDS) {
        return;
    }

    call = &calls[client->sent];
    call->client = client;
    call->n = client->sent;

    if (setter_resp_command(&client->resp, 2, argv, NULL, on_reply, call)
        != NULL)
    {
        client->sent++;
    }
}


static void
on_reply(void *data, setter_resp_outcome_e outcome, redisReply *reply)
{
    call_t  *call = data;

    call->client->called[call->n]++;
    fuzz_holds((outcome == SETTER_RESP_REPLIED) == (reply != NULL));

    if (reply != NULL) {
        look(call->client, reply);
    }

    if (call->client->again > 0) {
        call->client->again--;
        send_command(call->client);
    }
}


/* What the module and setterctl do with a reply of setter_depth. */
static void
look(client_t *client, const redisReply *reply)
{
    int64_t         desired;
    setter_scale_t  scale = { 5, 0, 10 };

    if (reply->type != REDIS_REPLY_ARRAY
        && reply->type != REDIS_REPLY_INTEGER)
    {
        return;
    }

    setter_depth_add(&client->depth, reply);
    desired = setter_depth_desired(&client->depth, &scale);
    fuzz_holds(desired >= 0 && desired <= 10);
}
