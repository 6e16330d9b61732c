/*
 * setter_uuid.h
 */

#include "setter_unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "setter_uuid.h"


static setter_str_t
id_str(const char id[SETTER_UUID_LEN])
{
    setter_str_t  str;

    str.data = id;
    str.len = SETTER_UUID_LEN;

    return str;
}


static void
test_v7(void **state)
{
    char  id[SETTER_UUID_LEN];

    (void) state;

    /* the time of the example in RFC 9562, A.6 */
    assert_int_equal(setter_uuid_v7(id, 1645557742000), SETTER_OK);

    assert_true(setter_uuid_valid(id_str(id)));
    assert_memory_equal(id, "017f22e2-79b0-7", 15);
    assert_non_null(strchr("89ab", id[19]));
}


static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, SETTER_UUID_LEN);
}


static void
test_v7_differ(void **state)
{
    int          i;
    static char  ids[20000][SETTER_UUID_LEN];

    (void) state;

    for (i = 0; i < 20000; i++) {
        assert_int_equal(setter_uuid_v7(ids[i], 1645557742000), SETTER_OK);
    }

    qsort(ids, 20000, SETTER_UUID_LEN, compare);

    for (i = 1; i < 20000; i++) {
        assert_memory_not_equal(ids[i - 1], ids[i], SETTER_UUID_LEN);
    }
}


static void
test_v7_differ_after_fork(void **state)
{
    int    fds[2], status;
    char   mine[SETTER_UUID_LEN], childs[SETTER_UUID_LEN];
    pid_t  pid;

    (void) state;

    assert_int_equal(setter_uuid_v7(mine, 1645557742000), SETTER_OK);
    assert_int_equal(pipe(fds), 0);

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        status = setter_uuid_v7(childs, 1645557742000);
        _exit(status != SETTER_OK
              || write(fds[1], childs, SETTER_UUID_LEN) != SETTER_UUID_LEN);
    }

    assert_int_equal(setter_uuid_v7(mine, 1645557742000), SETTER_OK);
    assert_int_equal(read(fds[0], childs, SETTER_UUID_LEN), SETTER_UUID_LEN);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    assert_memory_not_equal(mine, childs, SETTER_UUID_LEN);

    close(fds[0]);
    close(fds[1]);
}


static void
test_from_key(void **state)
{
    int   i;
    char  id[SETTER_UUID_LEN], other[SETTER_UUID_LEN];

    (void) state;

    /* printf 'acme\0wamid.1' | sha256sum, with version and variant set */
    for (i = 0; i < 2; i++) {
        assert_int_equal(setter_uuid_from_key(id, unit_str("acme"),
                                              unit_str("wamid.1")),
                         SETTER_OK);
        assert_true(setter_uuid_valid(id_str(id)));
        assert_text(id_str(id), "f6f38770-0ed2-83af-baac-d7a22a6b7a99");
    }

    /* the NUL keeps tenant and key apart */
    setter_uuid_from_key(other, unit_str("acmew"), unit_str("amid.1"));
    assert_memory_not_equal(id, other, SETTER_UUID_LEN);

    setter_uuid_from_key(other, unit_str("globex"), unit_str("wamid.1"));
    assert_memory_not_equal(id, other, SETTER_UUID_LEN);
}


static void
test_valid(void **state)
{
    size_t                    i;

    static const char *const  bad[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4-dc0c-c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}"
    };

    (void) state;

    assert_true(setter_uuid_valid(unit_str(
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(setter_uuid_valid(unit_str(bad[i])));
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_v7),
    cmocka_unit_test(test_v7_differ),
    cmocka_unit_test(test_v7_differ_after_fork),
    cmocka_unit_test(test_from_key),
    cmocka_unit_test(test_valid)
};

unit_main(tests)
