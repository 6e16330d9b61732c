/*
 * workers/channel/media.c: what a message tells of its files, and to whom a
 * credential is shown.
 */

#include "unit.h"

#include "channel/media.h"
#include "channel/provider.h"


static setter_str_t
str(const char *text)
{
    return (setter_str_t) { strlen(text), text };
}


static void
test_read(void **state)
{
    size_t           i;
    arena_t         *arena;
    channel_media_t  media[CHANNEL_MEDIA_FILES];

    static const struct {
        const char  *json, *id, *url, *type;
    } told[] = {
        { "{\"id\":\"12\",\"mime_type\":\"Audio/Ogg; codecs=opus\"}", "12", "",
          "audio/ogg" },
        { "{\"type\":\"VOICE\",\"url\":\"https://a/b\"}", "", "https://a/b",
          "" },
        { "[{\"url\":\"https://a/b\",\"type\":\"image/png\"}]", "",
          "https://a/b", "image/png" },
        { "{\"type\":\"image\",\"payload\":{\"url\":\"https://c/d\"}}", "",
          "https://c/d", "" },
    };
    static const char *const  none[] = {
        "", "{}", "[]", "[1]", "\"x\"", "{\"type\":\"image/png\"}",
        "{\"url\":\"\"}", "{\"url\":5}", "{",
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        assert_int_equal(channel_media_read(str(told[i].json), media, arena),
                         1);
        assert_true(setter_str_is(media[0].id, told[i].id));
        assert_true(setter_str_is(media[0].url, told[i].url));
        assert_true(setter_str_is(media[0].type, told[i].type));
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(channel_media_read(str(none[i]), media, arena), 0);
    }

    arena_destroy(arena);
}


static void
test_many(void **state)
{
    int              i;
    arena_t         *arena;
    setter_buf_t     buf;
    channel_media_t  media[CHANNEL_MEDIA_FILES];

    (void) state;

    arena = arena_create();
    setter_buf_init(&buf, arena_alloc(arena), 0);
    setter_buf_byte(&buf, '[');

    for (i = 0; i < 3 * CHANNEL_MEDIA_FILES; i++) {
        if (i > 0) {
            setter_buf_byte(&buf, ',');
        }
        setter_buf_text(&buf, "{\"url\":\"https://a/b\"}");
    }

    setter_buf_byte(&buf, ']');

    assert_int_equal(channel_media_read((setter_str_t) { buf.len, buf.data },
                                        media, arena), CHANNEL_MEDIA_FILES);
    arena_destroy(arena);
}


static void
test_trusted(void **state)
{
    size_t             i;
    channel_account_t  account;

    static const struct {
        const channel_t  *channel;
        const char       *base_url, *url;
        int               trusted;
    } cases[] = {
        { &channel_twilio, "https://api.twilio.com",
          "https://api.twilio.com/2010-04-01/x", 1 },
        { &channel_twilio, "https://api.twilio.com",
          "https://mcs.us1.twilio.com/x", 1 },
        { &channel_twilio, "https://api.twilio.com",
          "http://api.twilio.com/x", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://api.twilio.com.example.com/x", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://eviltwilio.com/x", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://api.twilio.com@example.com/x", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://example.com/.twilio.com", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://example.com?.twilio.com", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://example.com\\.twilio.com", 0 },
        { &channel_twilio, "https://api.twilio.com",
          "https://api.twilio.com:8443/x", 0 },
        { &channel_twilio, "http://127.0.0.1:8090",
          "http://127.0.0.1:8090/x", 1 },
        { &channel_twilio, "http://127.0.0.1:8090",
          "http://127.0.0.1:8091/x", 0 },
        { &channel_twilio, "http://127.0.0.1:8090",
          "https://127.0.0.1:8090/x", 0 },
        { &channel_twilio, NULL, "https://api.twilio.com/x", 1 },
        { &channel_twilio, NULL, "nonsense", 0 },
        { &channel_twilio, "", "", 0 },
        { &channel_meta, "https://graph.facebook.com/v23.0",
          "https://lookaside.fbsbx.com/whatsapp/x", 1 },
        { &channel_meta, "https://graph.facebook.com/v23.0",
          "https://HOOKS.FACEBOOK.COM/x", 1 },
        { &channel_infobip, "https://abc.api.infobip.com",
          "https://def.api.infobip.com/x", 1 },
        { &channel_infobip, "https://abc.api.infobip.com",
          "https://api.twilio.com/x", 0 },
    };

    (void) state;

    memset(&account, 0, sizeof(account));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s\n", cases[i].url);
        account.base_url = cases[i].base_url;
        assert_int_equal(channel_media_trusted(cases[i].channel->media,
                                               &account, cases[i].url),
                         cases[i].trusted);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_trusted),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_media", tests, NULL, NULL);
}
