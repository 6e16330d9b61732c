/*
 * prompt.h
 */

#include "unit.h"

#include "reply/prompt.h"


static setter_str_t
text(const char *data)
{
    setter_str_t  str = { strlen(data), data };

    return str;
}


static void
assert_message(const llm_message_t *message, llm_role_e role,
    const char *expected)
{
    assert_int_equal(message->role, role);
    assert_int_equal(message->text.len, strlen(expected));
    assert_memory_equal(message->text.data, expected, strlen(expected));
}


static void
test_order(void **state)
{
    size_t          n;
    arena_t        *arena;
    setter_str_t    texts[2];
    llm_message_t  *messages;
    llm_message_t   memory[3];

    (void) state;

    memory[0].role = LLM_ASSISTANT;
    memory[0].text = text("At nine.");
    memory[1].role = LLM_USER;
    memory[1].text = text("When do you open?");
    memory[2].role = LLM_USER;
    memory[2].text = text("Hello");
    texts[0] = text("And close?");
    texts[1] = text("On Sundays?");

    arena = arena_create();
    messages = prompt_build(arena, "Be brief.", memory, 3, texts, 2, &n);

    assert_int_equal(n, 6);
    assert_message(&messages[0], LLM_SYSTEM, "Be brief.");
    assert_message(&messages[1], LLM_USER, "Hello");
    assert_message(&messages[2], LLM_USER, "When do you open?");
    assert_message(&messages[3], LLM_ASSISTANT, "At nine.");
    assert_message(&messages[4], LLM_USER, "And close?");
    assert_message(&messages[5], LLM_USER, "On Sundays?");

    arena_destroy(arena);
}


static void
test_first_message_without_system_prompt(void **state)
{
    size_t          n;
    arena_t        *arena;
    setter_str_t    texts[1];
    llm_message_t  *messages;

    (void) state;

    texts[0] = text("Hi");

    arena = arena_create();
    messages = prompt_build(arena, "", NULL, 0, texts, 1, &n);

    assert_int_equal(n, 1);
    assert_message(&messages[0], LLM_USER, "Hi");

    arena_destroy(arena);
}


/* The oldest goes first; what is to be answered always goes in whole. */
static void
test_memory_is_bounded(void **state)
{
    char           *large;
    size_t          n;
    arena_t        *arena;
    setter_str_t    texts[1];
    llm_message_t  *messages;
    llm_message_t   memory[3];

    (void) state;

    large = test_malloc(PROMPT_MEMORY_BYTES);
    memset(large, 'x', PROMPT_MEMORY_BYTES);

    memory[0].role = LLM_ASSISTANT;
    memory[0].text = text("newest");
    memory[1].role = LLM_USER;
    memory[1].text.data = large;
    memory[1].text.len = PROMPT_MEMORY_BYTES - strlen("newest");
    memory[2].role = LLM_USER;
    memory[2].text = text("o");
    texts[0].data = large;
    texts[0].len = PROMPT_MEMORY_BYTES;

    arena = arena_create();
    messages = prompt_build(arena, "", memory, 3, texts, 1, &n);

    assert_int_equal(n, 3);
    assert_int_equal(messages[0].text.len, memory[1].text.len);
    assert_message(&messages[1], LLM_ASSISTANT, "newest");
    assert_int_equal(messages[2].text.len, PROMPT_MEMORY_BYTES);

    memory[1].text.len++;
    messages = prompt_build(arena, "", memory, 3, texts, 1, &n);
    assert_int_equal(n, 2);
    assert_message(&messages[0], LLM_ASSISTANT, "newest");

    arena_destroy(arena);
    test_free(large);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_first_message_without_system_prompt),
        cmocka_unit_test(test_memory_is_bounded)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("prompt", tests, NULL, NULL);
}
