/*
 * The walker of JSON bodies: whatever it takes can be written and read again
 * and means the same; where memory ends, it says so.
 */

#include "fuzz.h"
#include "setter_json.h"


#define NPATHS  (sizeof(paths) / sizeof(paths[0]))


static const setter_json_path_t  paths[] = {
    { "a", SETTER_JSON_TEXT },
    { "b", SETTER_JSON_KEEP },
    { "chat_id", 0 },
    { "lead_message", 0 },
    { "profile.name", 0 },
    { "choices.0.message.content", 0 },
    { "choices.1", SETTER_JSON_TEXT },
    { "data", SETTER_JSON_TEXT | SETTER_JSON_KEEP },
};


static void check_again(const setter_json_value_t *values,
    const setter_buf_t *rest, setter_alloc_t *alloc);
static void check_same(const setter_json_value_t *a,
    const setter_json_value_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned              control;
    setter_buf_t          rest;
    setter_str_t          text;
    fuzz_memory_t         memory, limited;
    setter_json_value_t   values[NPATHS];
    setter_json_error_e   rc;

    control = fuzz_control(data, &size);
    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    fuzz_memory(&limited, control >> 1);
    setter_buf_init(&rest, &limited.alloc, 0);
    rc = setter_json_read(text.data, text.len,
                          control & 1 ? SETTER_JSON_REPAIR : 0, paths,
                          NPATHS, values, &rest, &limited.alloc);

    fuzz_holds(setter_json_strerror(rc) != NULL);
    fuzz_holds(rc != SETTER_JSON_NO_MEMORY || limited.n == limited.most);
    fuzz_holds(rc != SETTER_JSON_ENCODING || !(control & 1));

    if (rc == SETTER_JSON_OK && !rest.failed) {
        check_again(values, &rest, &memory.alloc);
    }

    fuzz_forget(&limited);
    fuzz_forget(&memory);

    return 0;
}


/* What was kept and what was left, put together, is the same once more. */
static void
check_again(const setter_json_value_t *values, const setter_buf_t *rest,
    setter_alloc_t *alloc)
{
    size_t                i;
    setter_buf_t          text, left;
    setter_json_value_t   again[NPATHS];

    setter_buf_init(&text, alloc, 0);
    setter_buf_byte(&text, '{');
    setter_buf_append(&text, rest->data, rest->len);

    for (i = 0; i < NPATHS; i++) {
        if (strchr(paths[i].path, '.') == NULL
            && !(paths[i].flags & SETTER_JSON_KEEP)
            && values[i].type != SETTER_JSON_ABSENT)
        {
            setter_json_name(&text, paths[i].path);
            setter_json_value(&text, &values[i]);
        }
    }

    setter_buf_byte(&text, '}');
    setter_buf_init(&left, alloc, 0);

    fuzz_holds(!text.failed);
    fuzz_holds(setter_json_read(text.data, text.len, 0, paths, NPATHS, again,
                                &left, alloc)
               == SETTER_JSON_OK);
    fuzz_holds(left.len == rest->len);
    fuzz_holds(left.len == 0 || memcmp(left.data, rest->data, left.len) == 0);

    for (i = 0; i < NPATHS; i++) {
        check_same(&values[i], &again[i]);
    }
}


static void
check_same(const setter_json_value_t *a, const setter_json_value_t *b)
{
    fuzz_holds(a->type == b->type);
    fuzz_holds(fuzz_same(a->text, b->text));
}
