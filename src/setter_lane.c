#include "setter_digest.h"
#include "setter_job.h"


#define SETTER_LANE_MARK    "%~"        /* no encoding gives it */
#define SETTER_LANE_DIGEST  (sizeof(SETTER_LANE_MARK) - 1                     \
                             + SETTER_DIGEST_HEX)


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
    int            i;
    char           hex[SETTER_DIGEST_HEX];
    size_t         keep;
    setter_str_t   lane;
    unsigned char  digest[SETTER_DIGEST];

    if (buf->failed || buf->len - start <= SETTER_LANE_MAX) {
        return;
    }

    lane.data = buf->data + start;
    lane.len = buf->len - start;

    if (setter_digest(digest, &lane, 1) != SETTER_OK) {
        buf->failed = 1;
        return;
    }

    setter_digest_hex(hex, digest);

    keep = start + SETTER_LANE_MAX - SETTER_LANE_DIGEST;

    for (i = 1; i <= 2; i++) {
        if (buf->data[keep - i] == '%') {
            keep -= i;
            break;
        }
    }

    buf->len = keep;
    setter_buf_text(buf, SETTER_LANE_MARK);

    setter_buf_append(buf, hex, sizeof(hex));
}
