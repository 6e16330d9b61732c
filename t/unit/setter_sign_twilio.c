/*
 * setter_sign_twilio(), over the vendor's own vector and the signatures of
 * Twilio's samples.
 */

#include "sample.h"

#include "setter_sign.h"
#include "setter_unit.h"


#define FORM  "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234"   \
              "&From=%2B14158675309&To=%2B18005551212"
#define URL   "https://mycompany.com/myapp.php?foo=1&bar=2"
#define SIGN  "RSOYDt4T1cUTdK1PDd93/VVr8B8="


static int
check(const char *given, const char *secret, const char *url, const char *body)
{
    int            rc;
    unit_memory_t  memory;

    rc = setter_sign_twilio(unit_str(given), unit_str(secret), unit_str(url),
                            unit_str(body), unit_memory_init(&memory, -1));
    unit_memory_free(&memory);

    return rc;
}


static void
test_vendor(void **state)
{
    size_t  i;

    static const struct {
        const char  *given, *secret, *url, *body;
        int          rc;
    } cases[] = {
        { SIGN, "12345", URL, FORM, SETTER_OK },

        /* in whatever order, and what is there twice counts once */
        { SIGN, "12345", URL, "To=%2B18005551212&Digits=1234&" FORM,
          SETTER_OK },

        /* a standard port may be there */
        { SIGN, "12345", "https://mycompany.com:443/myapp.php?foo=1&bar=2",
          FORM, SETTER_OK },
        { SIGN, "12345", "https://mycompany.com:80/myapp.php?foo=1&bar=2",
          FORM, SETTER_ERROR },
        { SIGN, "12345", "https://mycompany.com:4433/myapp.php?foo=1&bar=2",
          FORM, SETTER_ERROR },
        { SIGN, "12345", "http://mycompany.com/myapp.php?foo=1&bar=2", FORM,
          SETTER_ERROR },

        { SIGN, "12346", URL, FORM, SETTER_ERROR },
        { SIGN, "12345", URL "&c=3", FORM, SETTER_ERROR },
        { SIGN, "12345", URL, FORM "&More=1", SETTER_ERROR },
        { SIGN, "12345", URL, FORM "&Empty=", SETTER_ERROR },
        { SIGN, "12345", URL, "", SETTER_ERROR },
        { "rsoydt4t1cutdk1pdd93/vvr8b8=", "12345", URL, FORM, SETTER_ERROR },
        { "", "12345", URL, FORM, SETTER_ERROR },
        { SIGN, "12345", "", "", SETTER_ERROR },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s %s\n", cases[i].url, cases[i].body);
        assert_int_equal(check(cases[i].given, cases[i].secret, cases[i].url,
                               cases[i].body), cases[i].rc);
    }
}


/* Each line: file, URL, signature. */
static void
test_samples(void **state)
{
    char      line[512], name[128], url[256], signature[64], *body;
    FILE     *list;
    size_t    n, len = 0;
    arena_t  *arena;

    (void) state;

    arena = arena_create();
    list = fopen("t/data/twilio/SIGNATURES.tsv", "r");
    assert_non_null(list);
    n = 0;

    while (fgets(line, sizeof(line), list) != NULL) {
        if (line[0] == '#'
            || sscanf(line, "%127s %255s %63s", name, url, signature) != 3)
        {
            continue;
        }

        print_message("# %s\n", name);
        body = sample_read(arena, arena_printf(arena, "t/data/twilio/%s",
                                               name), &len);
        assert_non_null(body);
        assert_int_equal(check(signature, "00112233445566778899aabbccddeeff",
                               url, body), SETTER_OK);
        assert_int_equal(check(signature, "00112233445566778899aabbccddeefe",
                               url, body), SETTER_ERROR);

        /* a byte more, of a form or of what the URL has the digest of */
        assert_int_equal(check(signature, "00112233445566778899aabbccddeeff",
                               url, arena_printf(arena, "%sx", body)),
                         SETTER_ERROR);
        n++;
    }

    fclose(list);
    assert_int_equal(n, 20);
    arena_destroy(arena);
}


static void
test_no_memory(void **state)
{
    int            n, rc;
    unit_memory_t  memory;

    (void) state;

    for (n = 0; /* void */; n++) {
        rc = setter_sign_twilio(unit_str(SIGN), unit_str("12345"),
                                unit_str(URL), unit_str(FORM),
                                unit_memory_init(&memory, n));
        unit_memory_free(&memory);

        if (rc == SETTER_OK) {
            break;
        }

        assert_int_equal(rc, SETTER_NO_MEMORY);
    }

    assert_true(n > 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vendor),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_sign_twilio", tests, NULL,
                                       NULL);
}
