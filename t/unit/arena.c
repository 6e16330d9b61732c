/*
 * arena.h
 */

#include "unit.h"

#include "runtime/arena.h"


static void
test_alignment(void **state)
{
    int       i;
    char     *p;
    arena_t  *arena;

    (void) state;

    arena = arena_create();
    for (i = 0; i < 300; i++) {
        p = arena_get(arena, (size_t) i);
        assert_non_null(p);
        assert_int_equal((uintptr_t) p % _Alignof(max_align_t), 0);
        memset(p, i, (size_t) i);
    }
    arena_destroy(arena);
}


/* Pieces keep what was written to them, whatever their size. */
static void
test_pieces_do_not_overlap(void **state)
{
    int       i, size[500];
    char     *piece[500];
    arena_t  *arena;

    (void) state;

    srandom(1);
    arena = arena_create();

    for (i = 0; i < 500; i++) {
        size[i] = i % 50 == 0 ? 100000 : 1 + (int) (random() % 3000);
        piece[i] = arena_get(arena, (size_t) size[i]);
        assert_non_null(piece[i]);
        memset(piece[i], i % 256, (size_t) size[i]);
    }

    for (i = 0; i < 500; i++) {
        assert_int_equal((unsigned char) piece[i][0], i % 256);
        assert_int_equal((unsigned char) piece[i][size[i] - 1], i % 256);
    }

    arena_destroy(arena);
}


static void
test_copy_and_printf(void **state)
{
    char     *long_text;
    arena_t  *arena;

    (void) state;

    arena = arena_create();

    assert_string_equal(arena_copy(arena, "hello world", 5), "hello");
    assert_string_equal(arena_copy(arena, NULL, 0), "");
    assert_memory_equal(arena_copy(arena, "a\0b", 3), "a\0b", 4);

    assert_string_equal(arena_printf(arena, "%s-%d", "x", 42), "x-42");
    long_text = arena_printf(arena, "%0*d", 100000, 7);
    assert_int_equal(strlen(long_text), 100000);

    arena_destroy(arena);
}


static void
test_alloc_face(void **state)
{
    char            *p;
    arena_t         *arena;
    setter_alloc_t  *alloc;

    (void) state;

    arena = arena_create();
    alloc = arena_alloc(arena);
    p = alloc->get(alloc->owner, 10);
    assert_non_null(p);
    memset(p, 1, 10);
    arena_destroy(arena);
}


static void
test_impossible_sizes(void **state)
{
    arena_t  *arena;

    (void) state;

    arena = arena_create();
    assert_null(arena_get(arena, SIZE_MAX));
    assert_null(arena_get(arena, SIZE_MAX - 8));
    assert_null(arena_copy(arena, "", SIZE_MAX));
    assert_non_null(arena_get(arena, 1));
    arena_destroy(arena);
    arena_destroy(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_copy_and_printf),
        cmocka_unit_test(test_alloc_face),
        cmocka_unit_test(test_impossible_sizes)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
