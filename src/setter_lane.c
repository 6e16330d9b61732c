#include <openssl/sha.h>

#include "setter_job.h"


#define SETTER_LANE_MARK    "%~"        /* no encoding gives it */
#define SETTER_LANE_DIGEST  (sizeof(SETTER_LANE_MARK) - 1                     \
                             + 2 * SHA256_DIGEST_LENGTH)


static void setter_lane_part(setter_buf_t *buf, setter_str_t part);
static void setter_lane_end(setter_buf_t *buf, size_t start);


void
setter_lane_conversation(setter_buf_t *buf, setter_str_t tenant,
    setter_str_t channel, setter_str_t us, setter_str_t them)
{
    size_t  start;

    start = buf->len;

    setter_lane_part(buf, tenant);
    setter_buf_text(buf, "/conv/");
    setter_lane_part(buf, channel);
    setter_buf_byte(buf, ':');
    setter_lane_part(buf, us);
    setter_buf_byte(buf, ':');
    setter_lane_part(buf, them);

    setter_lane_end(buf, start);
}


void
setter_lane_custom(setter_buf_t *buf, setter_str_t tenant, setter_str_t value)
{
    size_t  start;

    start = buf->len;

    setter_lane_part(buf, tenant);
    setter_buf_text(buf, "/conv/");
    setter_buf_encoded(buf, value, "%");

    setter_lane_end(buf, start);
}


void
setter_lane_job(setter_buf_t *buf, setter_str_t tenant, setter_str_t kind,
    setter_str_t id)
{
    size_t  start;

    start = buf->len;

    setter_lane_part(buf, tenant);
    setter_buf_byte(buf, '/');
    setter_lane_part(buf, kind);
    setter_buf_byte(buf, '/');
    setter_lane_part(buf, id);

    setter_lane_end(buf, start);
}


static void
setter_lane_part(setter_buf_t *buf, setter_str_t part)
{
    if (part.len == 0) {
        setter_buf_byte(buf, '-');

    } else {
        setter_buf_encoded(buf, part, "%:/");
    }
}


/* Shortens a lane that is too long; an encoded byte is not cut in two. */
static void
setter_lane_end(setter_buf_t *buf, size_t start)
{
    int                 i;
    size_t              keep;
    unsigned char       digest[SHA256_DIGEST_LENGTH];

    static const char   hex[] = "0123456789abcdef";

    if (buf->failed || buf->len - start <= SETTER_LANE_MAX) {
        return;
    }

    SHA256((unsigned char *) buf->data + start, buf->len - start, digest);

    keep = start + SETTER_LANE_MAX - SETTER_LANE_DIGEST;

    for (i = 1; i <= 2; i++) {
        if (buf->data[keep - i] == '%') {
            keep -= i;
            break;
        }
    }

    buf->len = keep;
    setter_buf_text(buf, SETTER_LANE_MARK);

    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        setter_buf_byte(buf, hex[digest[i] >> 4]);
        setter_buf_byte(buf, hex[digest[i] & 0x0f]);
    }
}
