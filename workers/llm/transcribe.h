/*
 * What is said in a recording, by OpenAI's POST /audio/transcriptions, and
 * whoever speaks it.
 */

#ifndef LLM_TRANSCRIBE_H
#define LLM_TRANSCRIBE_H

#include "llm/llm.h"


typedef struct {
    setter_str_t  data;
    const char   *name;             /* "voice.ogg": its ending tells the
                                       format */
    const char   *type;             /* "audio/ogg" */
    int64_t       timeout_ms;
} llm_recording_t;

/*
 * One call, to the model that settings name; no retry of its own.  The
 * answer's text may be empty.  Returns answer->error.
 */
llm_error_e llm_transcribe(const llm_settings_t *settings,
    const llm_recording_t *recording, llm_answer_t *answer, arena_t *arena);


#endif /* LLM_TRANSCRIBE_H */
