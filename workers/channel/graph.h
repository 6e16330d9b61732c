/*
 * What Meta's providers share, whose API is the Graph API: how a send is
 * addressed, and its error format.
 */

#ifndef GRAPH_H
#define GRAPH_H

#include "channel/media.h"
#include "channel/provider.h"


/*
 * What codes from low to high mean, with that subcode, or 0: with any,
 * whatever the status beside them: Meta's own pages disagree on that.
 * wait_ms: before the next try, where it is more than a back-off's: the
 * account's, or, where it is negative, to this person alone.
 */
typedef struct {
    int                low, high, subcode;
    channel_result_e   result;
    int                wait_ms;
} graph_error_t;

typedef struct {
    const char            *no_sender;   /* the reasons why nothing is sent */
    const char            *bad_sender;
    void                 (*write)(const channel_message_t *message,
                               setter_buf_t *body);
    channel_judge_pt       judge;
    const char            *id;          /* path of the message's id in an
                                           answer: "messages.0.id" */
    const graph_error_t   *errors;      /* its own; the first that fits */
    size_t                 nerrors;
} graph_api_t;


/* What our and others' ids are made of: digits, not too many. */
int graph_is_id(setter_str_t text);

/* channel_t's send(), from the id that the message came to, or else from the
 * account's. */
channel_result_e graph_send(const graph_api_t *api,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena);

/* A channel_judge_pt, by the API's table and then by that of all. */
void graph_judge(const graph_api_t *api, const http_response_t *response,
    channel_answer_t *answer, arena_t *arena);


/* Files that messages bring: by the token, of the Graph API and its stores. */
extern const channel_media_way_t  graph_media;


#endif /* GRAPH_H */
