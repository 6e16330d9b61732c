/*
 * What a provider of language models is to llm.c: pure functions that write
 * a request and judge a response.  The call between them is llm.c's.
 */

#ifndef LLM_PROVIDER_H
#define LLM_PROVIDER_H

#include "llm/llm.h"
#include "runtime/http.h"


typedef struct {
    const char  *name;

    /* NULL when all is set, else a line that says what to set. */
    const char *(*check)(const llm_settings_t *settings);

    /* Fills url, headers and body, from arena.  SETTER_ERROR: no memory. */
    int         (*write)(const llm_settings_t *settings,
                    const llm_request_t *request, http_request_t *http,
                    arena_t *arena);

    /*
     * Fills in answer (set to LLM_RETRY and nothing else before) from a
     * response that came whole, whatever its status.
     */
    void        (*judge)(const http_response_t *response,
                    llm_answer_t *answer, arena_t *arena);
} llm_provider_t;


/* base_url, without a slash at its end, and path.  NULL: no memory. */
char *llm_url(const llm_settings_t *settings, const char *path,
    arena_t *arena);


/* What an answer that is no 2xx means, by OpenAI's format of errors. */
void openai_judge_failed(const http_response_t *response,
    llm_answer_t *answer, arena_t *arena);


extern const llm_provider_t  llm_openai;


#endif /* LLM_PROVIDER_H */
