/*
 * setter_sign.h, over the signatures of Meta's samples and RFC 4231's.
 */

#include "sample.h"

#include "setter_sign.h"
#include "setter_unit.h"


static const setter_sign_t  meta = {
    SETTER_SIGN_SHA256, SETTER_SIGN_HEX, setter_str("sha256=")
};


/* Each line of the folder's list: file, signature of its bytes. */
static void
check_samples(const char *folder, setter_str_t secret)
{
    char          line[512], name[128], signature[128];
    FILE         *list;
    size_t        n, len = 0;
    arena_t      *arena;
    setter_str_t  text;

    arena = arena_create();
    list = fopen(arena_printf(arena, "t/data/%s/SIGNATURES.tsv", folder),
                 "r");
    assert_non_null(list);
    n = 0;

    while (fgets(line, sizeof(line), list) != NULL) {
        if (line[0] == '#'
            || sscanf(line, "%127s %127s", name, signature) != 2)
        {
            continue;
        }

        print_message("# %s\n", name);
        text.data = sample_read(arena, arena_printf(arena,
                                "t/data/%s/%s", folder, name), &len);
        text.len = len;
        assert_non_null(text.data);
        assert_int_equal(setter_sign_check(&meta, unit_str(signature), secret,
                                           text), SETTER_OK);

        /* one byte less, and another secret */
        text.len--;
        assert_int_equal(setter_sign_check(&meta, unit_str(signature), secret,
                                           text), SETTER_ERROR);
        text.len++;
        secret.len--;
        assert_int_equal(setter_sign_check(&meta, unit_str(signature), secret,
                                           text), SETTER_ERROR);
        secret.len++;
        n++;
    }

    fclose(list);
    arena_destroy(arena);
    assert_true(n > 20);
}


static void
test_samples(void **state)
{
    (void) state;

    check_samples("meta-whatsapp",
                  unit_str("wire-sample-meta-app-secret-0001"));
    check_samples("instagram", unit_str("wire-sample-ig-app-secret-0001"));
}


/* RFC 4231, test case 2, and RFC 2202's for SHA-1. */
static void
test_vectors(void **state)
{
    size_t         i;
    setter_str_t   key = setter_str("Jefe");
    setter_str_t   text = setter_str("what do ya want for nothing?");

    static const struct {
        setter_sign_t  sign;
        const char    *signature;
        int            rc;
    } vectors[] = {
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, { 0, "" } },
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843", SETTER_OK },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, { 0, "" } },
          "5BDCC146BF60754E6A042426089575C7"
          "5A003F089D2739839DEC58B964EC3843", SETTER_OK },
        { { SETTER_SIGN_SHA512, SETTER_SIGN_HEX, { 0, "" } },
          "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
          SETTER_OK },
        { { SETTER_SIGN_SHA1, SETTER_SIGN_HEX, { 0, "" } },
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", SETTER_OK },
        { { SETTER_SIGN_SHA1, SETTER_SIGN_BASE64, { 0, "" } },
          "7/zfauXrL6LSdBbV8YTfnCWafHk=", SETTER_OK },
        { { SETTER_SIGN_SHA1, SETTER_SIGN_BASE64, { 0, "" } },
          "7/ZFauXrL6LSdBbV8YTfnCWafHk=", SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, { 0, "" } },
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec38", SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, { 0, "" } },
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec38435bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec38435bdcc146bf60754e6a042426089575c7",
          SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, { 0, "" } }, "",
          SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, setter_str("sha256=") },
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843", SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, setter_str("sha256=") },
          "sha256=", SETTER_ERROR },
        { { SETTER_SIGN_SHA256, SETTER_SIGN_HEX, setter_str("sha256=") },
          "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", SETTER_ERROR },
    };

    (void) state;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        print_message("# %s\n", vectors[i].signature);
        assert_int_equal(setter_sign_check(&vectors[i].sign,
                                           unit_str(vectors[i].signature),
                                           key, text), vectors[i].rc);
    }
}


static void
test_equal(void **state)
{
    setter_str_t  secret = setter_str("s3cret");

    (void) state;

    assert_true(setter_sign_equal(unit_str("s3cret"), secret));
    assert_false(setter_sign_equal(unit_str("s3cre"), secret));
    assert_false(setter_sign_equal(unit_str("s3crets"), secret));
    assert_false(setter_sign_equal(unit_str("s3crets3cret"), secret));
    assert_false(setter_sign_equal(unit_str(""), secret));
    assert_false(setter_sign_equal(unit_str("S3cret"), secret));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_equal)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_sign", tests, NULL, NULL);
}
