/*
 * Language models: one interface, a file a provider.
 */

#ifndef LLM_H
#define LLM_H

#include "runtime/arena.h"


typedef enum { LLM_SYSTEM = 0, LLM_USER, LLM_ASSISTANT } llm_role_e;

typedef struct {
    llm_role_e           role;
    setter_str_t         text;
    const setter_str_t  *images;    /* "data:image/png;base64,…" */
    size_t               nimages;
} llm_message_t;

typedef struct {
    const llm_message_t  *messages;
    size_t                nmessages;
    int64_t               timeout_ms;   /* for this call, in all */
} llm_request_t;

typedef enum {
    LLM_OK = 0,
    LLM_RETRY,          /* transient: 408, 409, 429, 5xx, time-out, cut */
    LLM_PERMANENT,      /* this request will never work: 400, refusal */
    LLM_SETUP,          /* key, model, quota: a person must act */
    LLM_CANCELLED
} llm_error_e;

typedef struct {
    llm_error_e   error;
    setter_str_t  text;             /* in the arena */
    setter_str_t  model;            /* as the provider named it */
    long          prompt_tokens;
    long          completion_tokens;
    int64_t       retry_after_ms;   /* -1: the provider named none */
    char          reason[160];      /* for logs and the record */
} llm_answer_t;

typedef struct {
    const char  *provider;          /* "openai" */
    const char  *model;
    const char  *base_url;          /* with /v1 */
    const char  *api_key;
} llm_settings_t;

/* NULL when all is set, else a line that says what to set. */
const char *llm_check(const llm_settings_t *settings);

/* One call; no retry of its own.  Returns answer->error. */
llm_error_e llm_call(const llm_settings_t *settings,
    const llm_request_t *request, llm_answer_t *answer, arena_t *arena);


#endif /* LLM_H */
