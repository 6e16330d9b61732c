/*
 * The providers of language models, and the one call they share.
 */

#include <stdio.h>
#include <string.h>

#include "llm/provider.h"


#define LLM_MAX_RESPONSE  (4 * 1024 * 1024)


static const llm_provider_t *llm_find(const char *name);
static void llm_judge_transport(const http_response_t *response,
    llm_answer_t *answer);


static const llm_provider_t *const  llm_providers[] = {
    &llm_openai,
};


static const llm_provider_t *
llm_find(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(llm_providers) / sizeof(llm_providers[0]); i++) {
        if (strcmp(name, llm_providers[i]->name) == 0) {
            return llm_providers[i];
        }
    }

    return NULL;
}


const char *
llm_check(const llm_settings_t *settings)
{
    const llm_provider_t  *provider;

    provider = llm_find(settings->provider);

    if (provider == NULL) {
        return "SETTER_LLM names no known provider: set it to openai";
    }

    return provider->check(settings);
}


llm_error_e
llm_call(const llm_settings_t *settings, const llm_request_t *request,
    llm_answer_t *answer, arena_t *arena)
{
    http_request_t         http;
    http_response_t        response;
    const llm_provider_t  *provider;

    memset(answer, 0, sizeof(llm_answer_t));
    answer->error = LLM_RETRY;
    answer->retry_after_ms = -1;

    provider = llm_find(settings->provider);

    if (provider == NULL) {
        answer->error = LLM_SETUP;
        snprintf(answer->reason, sizeof(answer->reason), "no such provider");
        return answer->error;
    }

    memset(&http, 0, sizeof(http_request_t));
    http.method = "POST";
    http.timeout_ms = request->timeout_ms;
    http.max_body = LLM_MAX_RESPONSE;

    if (provider->write(settings, request, &http, arena) != SETTER_OK) {
        snprintf(answer->reason, sizeof(answer->reason), "out of memory");
        return answer->error;
    }

    if (http_call(&http, &response, arena) == HTTP_OK) {
        provider->judge(&response, answer, arena);

    } else {
        llm_judge_transport(&response, answer);
    }

    return answer->error;
}


/* Asking a model twice harms nobody: whatever broke may be tried again. */
static void
llm_judge_transport(const http_response_t *response, llm_answer_t *answer)
{
    answer->error = response->error == HTTP_CANCELLED ? LLM_CANCELLED
                                                      : LLM_RETRY;
    snprintf(answer->reason, sizeof(answer->reason), "%s", response->reason);
}


char *
llm_url(const llm_settings_t *settings, const char *path, arena_t *arena)
{
    size_t  len;

    len = strlen(settings->base_url);

    while (len > 0 && settings->base_url[len - 1] == '/') {
        len--;
    }

    return arena_printf(arena, "%.*s%s", (int) len, settings->base_url, path);
}
