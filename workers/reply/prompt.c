/*
 * Putting a prompt together.
 */

#include <string.h>

#include "reply/prompt.h"


static size_t prompt_fits(const llm_message_t *memory, size_t nmemory);
static void prompt_add(llm_message_t *messages, size_t *n, llm_role_e role,
    setter_str_t text);


llm_message_t *
prompt_build(arena_t *arena, const char *system, const llm_message_t *memory,
    size_t nmemory, const setter_str_t *texts, size_t ntexts, size_t *n)
{
    size_t          i;
    setter_str_t    text;
    llm_message_t  *messages;

    nmemory = prompt_fits(memory, nmemory);

    messages = arena_get(arena,
                         (1 + nmemory + ntexts) * sizeof(llm_message_t));
    if (messages == NULL) {
        return NULL;
    }

    *n = 0;

    if (system[0] != '\0') {
        text.data = system;
        text.len = strlen(system);
        prompt_add(messages, n, LLM_SYSTEM, text);
    }

    for (i = nmemory; i > 0; i--) {
        prompt_add(messages, n, memory[i - 1].role, memory[i - 1].text);
    }

    for (i = 0; i < ntexts; i++) {
        prompt_add(messages, n, LLM_USER, texts[i]);
    }

    return messages;
}


/* How many of the newest messages fit. */
static size_t
prompt_fits(const llm_message_t *memory, size_t nmemory)
{
    size_t  i, bytes;

    bytes = 0;

    for (i = 0; i < nmemory; i++) {
        bytes += memory[i].text.len;
        if (bytes > PROMPT_MEMORY_BYTES) {
            break;
        }
    }

    return i;
}


static void
prompt_add(llm_message_t *messages, size_t *n, llm_role_e role,
    setter_str_t text)
{
    memset(&messages[*n], 0, sizeof(llm_message_t));
    messages[*n].role = role;
    messages[*n].text = text;
    (*n)++;
}
