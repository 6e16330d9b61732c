/*
 * Channels: how an answer reaches a person; one interface, a file a
 * provider.
 */

#ifndef CHANNEL_H
#define CHANNEL_H

#include "runtime/arena.h"


typedef struct channel_template_s  channel_template_t;
typedef struct channel_attached_s  channel_attached_t;

typedef struct {
    setter_str_t  message_id;       /* ours: travels along where it can */
    setter_str_t  to;               /* the person */
    setter_str_t  from;             /* our number or page; may be absent */
    setter_str_t  text;
    setter_str_t  template;         /* JSON text: sent in the text's place;
                                       len 0: none.  template.h */
    const channel_template_t  *filled;      /* it, read: by channel_send() */
    setter_str_t  attached;         /* JSON text: beside the text; len 0:
                                       nothing.  attached.h */
    const channel_attached_t  *with;        /* it, read, likewise */
    setter_str_t  surface;          /* manychat: "instagram"; may be absent */
    setter_str_t  callback;         /* where reports of this message may be
                                       posted; may be absent */
    int64_t       timeout_ms;

    /* Last check before the bytes leave: 0 lets them go. */
    int         (*before_send)(void *data);
    void         *before_send_data;
} channel_message_t;

typedef enum {
    CHANNEL_SENT = 0,   /* the provider accepted it */
    CHANNEL_NOT_SENT,   /* surely not sent, may be tried again */
    CHANNEL_FAILED,     /* surely not sent, and never will be */
    CHANNEL_SETUP,      /* surely not sent; key or account: a person must act */
    CHANNEL_UNKNOWN,    /* bytes left, no answer: it may have arrived */
    CHANNEL_WITHHELD    /* before_send said no */
} channel_result_e;

typedef struct {
    channel_result_e  result;
    setter_str_t      provider_id;      /* the provider's message id, if any */
    int64_t           retry_after_ms;   /* NOT_SENT; -1: none named */
    unsigned          opted_out:1;      /* FAILED: the person wants none */
    unsigned          busy:1;           /* NOT_SENT: the account sends too
                                           much, to whomever */
    char              reason[160];
} channel_answer_t;

/* What a provider reports of a message that it took. */
typedef struct {
    setter_str_t  message_id;       /* ours, or empty */
    setter_str_t  provider_id;      /* the provider's, or empty */
    const char   *state;            /* "sent", "delivered", "read", "failed" */
    setter_str_t  reason;           /* failed: why, or empty */
} channel_report_t;

typedef struct {
    const char  *base_url;
    const char  *api_key;
    const char  *sender;
    const char  *user;              /* whose it is, where that is said */
    long         rate;              /* messages a second; 0: the provider's */
    unsigned     egress:1;          /* base_url is the tenant's own word */
} channel_account_t;

/* What a provider bears; intervals in us, a burst from 1. */
typedef struct {
    const char  *host;              /* whose limits these are */
    long         interval_us, burst;            /* of an account */
    long         pair_interval_us, pair_burst;  /* to a person; 0: none */
    unsigned     by_key:1;          /* the key's, else the number's or page's */
} channel_pace_t;

/* How files that messages bring are asked for: media.h. */
typedef struct channel_media_way_s  channel_media_way_t;

typedef struct {
    const char  *name;              /* "manychat" */

    /* NULL when the account is complete, else what to set. */
    const char *(*check)(const channel_account_t *account);

    channel_result_e  (*send)(const channel_account_t *account,
        const channel_message_t *message, channel_answer_t *answer,
        arena_t *arena);

    /* NULL: no limit is known. */
    const channel_pace_t  *pace;

    /*
     * Reads the reports out of what the provider posted, a JSON object, into
     * *reports.  *unused counts what is there and is none that it knows.
     * How many, or -1: no memory.  NULL: the provider posts none.
     */
    int               (*reports)(setter_str_t json,
        channel_report_t **reports, int *unused, arena_t *arena);

    /*
     * Shows the person that the message of that provider's id (message_id)
     * was read, and that an answer is being written.  NULL: it cannot.
     */
    channel_result_e  (*typing)(const channel_account_t *account,
        const channel_message_t *message, channel_answer_t *answer,
        arena_t *arena);

    /* NULL: by their URLs, without a credential. */
    const channel_media_way_t  *media;

    /* What a message may have: characters, or bytes. */
    size_t              max_text;
    unsigned            bytes:1;

    /* Of the text beside a file, in the same units; 0: there is none. */
    size_t              max_caption;

    unsigned            templates:1;        /* send() knows them */
    unsigned            files:1;
    unsigned            buttons:1;
} channel_t;

/*
 * Sends the message: its template, or its text, a longer one in parts, each
 * when the one before was accepted.  Where a later part is not, the result is
 * UNKNOWN: part of it has arrived.  Our id goes with the last part alone,
 * whose id the answer's is: a report of it tells that all have left.  Returns
 * answer->result.
 */
channel_result_e channel_send(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena);

/* The provider of that name, or NULL. */
const channel_t *channel_find(setter_str_t name);

/* All of them; NULL is the end. */
const channel_t *const *channel_all(void);


#endif /* CHANNEL_H */
