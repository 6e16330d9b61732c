/*
 * setter_seal.h
 */

#include "setter_seal.h"
#include "setter_unit.h"


#define KEY    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER  "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


static setter_seal_key_t
key_of(const char *text)
{
    setter_seal_key_t  key;

    assert_int_equal(setter_seal_key_read(&key, unit_str(text)), SETTER_OK);
    return key;
}


static void
test_keys(void **state)
{
    char               text[SETTER_SEAL_KEY_TEXT];
    size_t             i;
    char               use[SETTER_SEAL_USE_MAX + 2];
    setter_seal_key_t  key, derived, again;

    static const char *const  bad[] = {
        "", "AAEC", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8h",
        "\nAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0O*xAREhMUFRYXGBkaGxwdHh8="
    };

    (void) state;

    key = key_of(KEY);
    assert_int_equal(key.key[0], 0);
    assert_int_equal(key.key[31], 31);
    setter_seal_key_text(text, &key);
    assert_memory_equal(text, KEY, sizeof(text));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setter_seal_key_read(&key, unit_str(bad[i])),
                         SETTER_ERROR);
    }

    key = key_of(KEY);
    assert_int_equal(setter_seal_key_derive(&derived, &key, "signing"),
                     SETTER_OK);
    assert_int_equal(setter_seal_key_derive(&again, &key, "other"),
                     SETTER_OK);
    assert_memory_not_equal(derived.key, key.key, SETTER_SEAL_KEY);
    assert_memory_not_equal(derived.key, again.key, SETTER_SEAL_KEY);
    assert_memory_not_equal(derived.id, again.id, SETTER_SEAL_ID);

    memset(use, 'x', sizeof(use));
    use[SETTER_SEAL_USE_MAX] = '\0';
    assert_int_equal(setter_seal_key_derive(&derived, &key, use), SETTER_OK);
    use[SETTER_SEAL_USE_MAX] = 'x';
    use[SETTER_SEAL_USE_MAX + 1] = '\0';
    assert_int_equal(setter_seal_key_derive(&derived, &key, use),
                     SETTER_ERROR);
}


/* What another implementation of RFC 5869 makes of it. */
static void
test_derivation(void **state)
{
    setter_seal_key_t  key, derived;

    static const unsigned char  expected[] = {
        0x57, 0xa0, 0x34, 0xfc, 0x48, 0x98, 0x2a, 0x2d
    };

    (void) state;

    memset(&key, 0x0b, sizeof(key));
    assert_int_equal(setter_seal_key_derive(&derived, &key, "signing"),
                     SETTER_OK);
    assert_memory_equal(derived.key, expected, sizeof(expected));
}


static void
test_seal(void **state)
{
    size_t             i;
    setter_str_t       sealed, text;
    setter_buf_t       buf, again;
    unit_memory_t      memory;
    setter_alloc_t    *alloc;
    setter_seal_key_t  keys[2];

    static const char *const  texts[] = { "", "s", "secret", "a\0b",
        "EAAB-a-longer-token-with-more-than-one-block-of-the-cipher" };

    (void) state;

    alloc = unit_memory_init(&memory, -1);
    keys[0] = key_of(OTHER);
    keys[1] = key_of(KEY);

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        setter_buf_init(&buf, alloc, 0);
        assert_int_equal(setter_seal(&buf, &keys[1], unit_str("a/b"),
                                     unit_str(texts[i])), SETTER_OK);
        sealed = (setter_str_t) { buf.len, buf.data };

        assert_true(setter_seal_is_of(sealed, &keys[1]));
        assert_false(setter_seal_is_of(sealed, &keys[0]));
        assert_int_equal(setter_unseal(&text, keys, 2, unit_str("a/b"),
                                       sealed, alloc), SETTER_OK);
        assert_true(setter_str_is(text, texts[i]));

        /* neither in another's place nor under another's key */
        assert_int_equal(setter_unseal(&text, keys, 2, unit_str("a/c"),
                                       sealed, alloc), SETTER_ERROR);
        assert_int_equal(setter_unseal(&text, keys, 1, unit_str("a/b"),
                                       sealed, alloc), SETTER_ERROR);

        /* never the same twice */
        setter_buf_init(&again, alloc, 0);
        assert_int_equal(setter_seal(&again, &keys[1], unit_str("a/b"),
                                     unit_str(texts[i])), SETTER_OK);
        assert_int_equal(again.len, buf.len);
        assert_memory_not_equal(again.data, buf.data, buf.len);
    }

    unit_memory_free(&memory);
}


/* Whatever byte is changed, cut or added: it does not open. */
static void
test_damage(void **state)
{
    size_t             i;
    setter_str_t       sealed, text;
    setter_buf_t       buf;
    unit_memory_t      memory;
    setter_alloc_t    *alloc;
    setter_seal_key_t  key;

    (void) state;

    alloc = unit_memory_init(&memory, -1);
    key = key_of(KEY);
    setter_buf_init(&buf, alloc, 0);
    assert_int_equal(setter_seal(&buf, &key, unit_str("a"),
                                 unit_str("secret")), SETTER_OK);

    for (i = 0; i < buf.len; i++) {
        sealed = (setter_str_t) { i, buf.data };
        assert_int_equal(setter_unseal(&text, &key, 1, unit_str("a"), sealed,
                                       alloc), SETTER_ERROR);

        sealed.len = buf.len;
        buf.data[i] ^= 1;
        assert_int_equal(setter_unseal(&text, &key, 1, unit_str("a"), sealed,
                                       alloc), SETTER_ERROR);
        buf.data[i] ^= 1;
    }

    assert_int_equal(setter_unseal(&text, &key, 1, unit_str("a"),
                                   unit_str(""), alloc), SETTER_ERROR);
    assert_int_equal(setter_unseal(&text, &key, 1, unit_str("a"),
                                   unit_str("no base64 !"), alloc),
                     SETTER_ERROR);
    unit_memory_free(&memory);
}


static void
test_no_memory(void **state)
{
    int                n;
    setter_str_t       text, sealed;
    setter_buf_t       buf;
    unit_memory_t      memory;
    setter_alloc_t    *alloc;
    setter_seal_key_t  key;

    (void) state;

    key = key_of(KEY);

    for (n = 0; n < 2; n++) {
        setter_buf_init(&buf, unit_memory_init(&memory, n), 0);
        assert_int_equal(setter_seal(&buf, &key, unit_str("a"),
                                     unit_str("secret")), SETTER_NO_MEMORY);
        unit_memory_free(&memory);
    }

    alloc = unit_memory_init(&memory, 2);
    setter_buf_init(&buf, alloc, 0);
    assert_int_equal(setter_seal(&buf, &key, unit_str("a"),
                                 unit_str("secret")), SETTER_OK);
    sealed = (setter_str_t) { buf.len, buf.data };
    assert_int_equal(setter_unseal(&text, &key, 1, unit_str("a"), sealed,
                                   alloc), SETTER_NO_MEMORY);
    unit_memory_free(&memory);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_derivation),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_seal", tests, NULL, NULL);
}
