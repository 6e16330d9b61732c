/*
 * X-Twilio-Signature, as "Webhooks security" and the vendor's libraries have
 * it: HMAC-SHA1 over the URL as it was configured and the form's fields,
 * sorted; or, of a body that is no form, over the URL, which has its SHA-256.
 */

#include <stdlib.h>
#include <string.h>

#include "setter_digest.h"
#include "setter_form.h"
#include "setter_sign.h"


#define SETTER_TWILIO_SHA  "bodySHA256="


static int setter_twilio_text(setter_buf_t *text, setter_str_t url,
    setter_str_t body, setter_alloc_t *alloc);
static int setter_twilio_form(setter_buf_t *text, setter_str_t body,
    setter_alloc_t *alloc);
static int setter_twilio_cmp(const void *one, const void *two);
static int setter_twilio_str_cmp(setter_str_t one, setter_str_t two);
static const char *setter_twilio_sha(setter_str_t url);
static int setter_twilio_is_sha(const char *hex, setter_str_t url,
    setter_str_t body);
static size_t setter_twilio_port(setter_str_t url, size_t *end);


int
setter_sign_twilio(setter_str_t given, setter_str_t secret, setter_str_t url,
    setter_str_t body, setter_alloc_t *alloc)
{
    int           rc;
    size_t        port, end, len;
    setter_buf_t  text;

    static const setter_sign_t  sign = {
        SETTER_SIGN_SHA1, SETTER_SIGN_BASE64, setter_str("")
    };

    /* a standard port may be in the URL or not, there and here */

    setter_buf_init(&text, alloc, url.len + body.len + 8);
    rc = setter_twilio_text(&text, url, body, alloc);

    if (rc != SETTER_OK) {
        return rc;
    }

    rc = setter_sign_check(&sign, given, secret,
                           (setter_str_t) { text.len, text.data });
    port = setter_twilio_port(url, &end);

    if (rc != SETTER_ERROR || port == 0) {
        return rc;
    }

    len = text.len;
    setter_buf_append(&text, url.data, port);

    if (end == port) {
        setter_buf_append(&text, url.data[4] == 's' ? ":443" : ":80",
                          url.data[4] == 's' ? 4 : 3);
    }

    setter_buf_append(&text, text.data + end, len - end);

    return text.failed ? SETTER_NO_MEMORY
           : setter_sign_check(&sign, given, secret,
                               (setter_str_t) { text.len - len,
                                                text.data + len });
}


/* What is signed.  SETTER_ERROR: the body is not what the URL says. */
static int
setter_twilio_text(setter_buf_t *text, setter_str_t url, setter_str_t body,
    setter_alloc_t *alloc)
{
    int          rc;
    const char  *hex;

    setter_buf_append(text, url.data, url.len);

    hex = setter_twilio_sha(url);
    rc = hex != NULL ? setter_twilio_is_sha(hex, url, body)
                     : setter_twilio_form(text, body, alloc);

    return rc == SETTER_OK && text->failed ? SETTER_NO_MEMORY : rc;
}


/* Names and values, decoded; what is there twice counts once. */
static int
setter_twilio_form(setter_buf_t *text, setter_str_t body,
    setter_alloc_t *alloc)
{
    int                   rc;
    size_t                i, n;
    setter_form_field_t  *fields;

    rc = setter_form_read(body, &fields, &n, alloc);

    if (rc != SETTER_OK) {
        return rc;
    }

    qsort(fields, n, sizeof(setter_form_field_t), setter_twilio_cmp);

    for (i = 0; i < n; i++) {
        if (i == 0 || setter_twilio_cmp(&fields[i - 1], &fields[i]) != 0) {
            setter_buf_append(text, fields[i].name.data, fields[i].name.len);
            setter_buf_append(text, fields[i].value.data,
                              fields[i].value.len);
        }
    }

    return SETTER_OK;
}


static int
setter_twilio_cmp(const void *one, const void *two)
{
    int                         order;
    const setter_form_field_t  *first = one, *second = two;

    order = setter_twilio_str_cmp(first->name, second->name);

    return order != 0 ? order
           : setter_twilio_str_cmp(first->value, second->value);
}


static int
setter_twilio_str_cmp(setter_str_t one, setter_str_t two)
{
    int     order;
    size_t  len;

    len = one.len < two.len ? one.len : two.len;
    order = len > 0 ? memcmp(one.data, two.data, len) : 0;

    return order != 0 ? order : (one.len > two.len) - (one.len < two.len);
}


/* The digest in the URL's query, or NULL. */
static const char *
setter_twilio_sha(setter_str_t url)
{
    size_t  i, len;

    len = sizeof(SETTER_TWILIO_SHA) - 1;

    for (i = 1; i + len <= url.len; i++) {
        if ((url.data[i - 1] == '?' || url.data[i - 1] == '&')
            && memcmp(url.data + i, SETTER_TWILIO_SHA, len) == 0)
        {
            return url.data + i + len;
        }
    }

    return NULL;
}


static int
setter_twilio_is_sha(const char *hex, setter_str_t url, setter_str_t body)
{
    char           expected[SETTER_DIGEST_HEX];
    unsigned char  digest[SETTER_DIGEST];

    if (setter_digest(digest, &body, 1) != SETTER_OK) {
        return SETTER_NO_MEMORY;
    }

    setter_digest_hex(expected, digest);

    return url.data + url.len - hex >= SETTER_DIGEST_HEX
           && setter_sign_equal((setter_str_t) { SETTER_DIGEST_HEX, hex },
                                (setter_str_t) { SETTER_DIGEST_HEX, expected })
           ? SETTER_OK : SETTER_ERROR;
}


/*
 * Where the host ends, and the standard port behind it, if there is one; 0
 * when the URL is none, or has another port.
 */
static size_t
setter_twilio_port(setter_str_t url, size_t *end)
{
    size_t       i, len;
    const char  *port;

    if (url.len < 9 || memcmp(url.data, "http", 4) != 0) {
        return 0;
    }

    port = url.data[4] == 's' ? ":443" : ":80";
    len = strlen(port);

    for (i = url.data[4] == 's' ? 8 : 7; i < url.len; i++) {
        if (url.data[i] == '/' || url.data[i] == '?' || url.data[i] == ':') {
            break;
        }
    }

    *end = i;

    if (i == url.len || url.data[i] != ':') {
        return i;
    }

    if (url.len - i < len || memcmp(url.data + i, port, len) != 0
        || (url.len > i + len && url.data[i + len] != '/'
            && url.data[i + len] != '?'))
    {
        return 0;
    }

    *end = i + len;

    return i;
}
