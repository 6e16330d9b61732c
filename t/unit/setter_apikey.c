/*
 * setter_apikey.h
 */

#include "setter_unit.h"

#include "setter_apikey.h"


#define SECRET  "0123456789-abcdefghijklmnop_ABCDEFGHIJKLMNO"
#define SLUG63  "a23456789-123456789-123456789-123456789-123456789-12345678"  \
                "9-123"


static void
test_known_value(void **state)
{
    size_t           len;
    char             member[SETTER_APIKEY_MEMBER_MAX + 1];
    setter_apikey_t  key;

    (void) state;

    assert_int_equal(setter_apikey_read(&key, unit_str("stk_acme_" SECRET)),
                     SETTER_OK);
    assert_text(key.tenant, "acme");

    /* as sha256sum has it */
    len = setter_apikey_member(member, &key);
    assert_int_equal(len, strlen(member));
    assert_string_equal(member, "acme/"
        "9fceb68a752562c38d68c0c4dbbbded030e1bdea771d4d0e09b1d318a02bad15");
}


static void
test_forms(void **state)
{
    size_t           i;
    setter_apikey_t  key;

    static const char  *good[] = {
        "stk_a_" SECRET, "stk_" SLUG63 "_" SECRET, "stk_a-_" SECRET,
        "stk_a__" "123456789-123456789-123456789-123456789-12"
    };

    static const char  *bad[] = {
        "", "stk_", "stk__" SECRET, "stk_" SECRET, "STK_acme_" SECRET,
        "stk_Acme_" SECRET, "stk_1acme_" SECRET, "stk_ac_me_" SECRET,
        "stk_acme-" SECRET, "stk_acme_" SECRET "x", "sk_acme_" SECRET,
        "stk_" SLUG63 "x_" SECRET, " stk_acme_" SECRET,
        "stk_acme_0123456789-abcdefghijklmnop_ABCDEFGHIJKLMN",
        "stk_acme_0123456789-abcdefghijklmnop_ABCDEFGHIJKLM+O",
        "stk_acme_0123456789-abcdefghijklmnop_ABCDEFGHIJKLM\xc3\xa9"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(setter_apikey_read(&key, unit_str(good[i])),
                         SETTER_OK);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setter_apikey_read(&key, unit_str(bad[i])),
                         SETTER_ERROR);
        assert_int_equal(key.tenant.len, 0);
    }
}


static void
test_nul_is_no_character(void **state)
{
    char             text[] = "stk_acme_" SECRET;
    setter_str_t     str = { sizeof(text) - 1, text };
    setter_apikey_t  key;

    (void) state;

    text[sizeof(text) - 2] = '\0';

    assert_int_equal(setter_apikey_read(&key, str), SETTER_ERROR);
}


static void
test_made_keys(void **state)
{
    int              i;
    char             text[2][SETTER_APIKEY_MAX + 1];
    unsigned char    secret[SETTER_APIKEY_BYTES];
    setter_apikey_t  key;

    (void) state;

    text[1][0] = '\0';

    for (i = 0; i < SETTER_APIKEY_BYTES; i++) {
        secret[i] = (unsigned char) i;
    }

    assert_int_equal(setter_apikey_make(text[0], unit_str("acme"), secret),
                     SETTER_OK);
    assert_string_equal(text[0], "stk_acme_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                        "GxwdHh8");

    for (i = 0; i < 1000; i++) {
        assert_int_equal(setter_apikey_make(text[0], unit_str(SLUG63), NULL),
                         SETTER_OK);
        assert_int_equal(strlen(text[0]), SETTER_APIKEY_MAX);
        assert_int_equal(setter_apikey_read(&key, unit_str(text[0])),
                         SETTER_OK);
        assert_text(key.tenant, SLUG63);
        assert_string_not_equal(text[0], text[1]);

        /* base64url of 32 bytes: the last two bits are none of theirs */
        assert_non_null(strchr("AEIMQUYcgkosw048",
                               text[0][SETTER_APIKEY_MAX - 1]));

        strcpy(text[1], text[0]);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_known_value),
    cmocka_unit_test(test_forms),
    cmocka_unit_test(test_nul_is_no_character),
    cmocka_unit_test(test_made_keys)
};

unit_main(tests)
