/*
 * The prompt: what the model is told before it answers.
 */

#ifndef PROMPT_H
#define PROMPT_H

#include "llm/llm.h"


/* Of what was said before, this much goes in; the newest stays. */
#define PROMPT_MEMORY_BYTES  (128 * 1024)

/*
 * The system prompt (empty: none), then memory, which comes newest first and
 * goes in oldest first, then the texts to be answered.  Texts are not copied.
 * The number of messages goes to *n; NULL when memory is short.
 */
llm_message_t *prompt_build(arena_t *arena, const char *system,
    const llm_message_t *memory, size_t nmemory, const setter_str_t *texts,
    size_t ntexts, size_t *n);


#endif /* PROMPT_H */
