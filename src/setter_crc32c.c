#include <string.h>

#include "setter_crc32c.h"


#define SETTER_CRC32C_POLYNOMIAL  0x82f63b78    /* bits reversed */
#define SETTER_CRC32C_SLICES      8


static void setter_crc32c_init(void) __attribute__((constructor));

/* slices[n][byte]: the CRC of the byte with n zero bytes behind it */
static uint32_t  setter_crc32c_slices[SETTER_CRC32C_SLICES][256];


#if defined(__x86_64__)

static uint32_t setter_crc32c_sse42(uint32_t crc, const unsigned char *p,
    size_t len) __attribute__((target("sse4.2")));

static int  setter_crc32c_has_sse42;


static uint32_t
setter_crc32c_sse42(uint32_t crc, const unsigned char *p, size_t len)
{
    uint64_t  state, word;

    state = crc;

    while (len >= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        state = __builtin_ia32_crc32di(state, word);
        p += sizeof(word);
        len -= sizeof(word);
    }

    while (len-- > 0) {
        state = __builtin_ia32_crc32qi((uint32_t) state, *p++);
    }

    return (uint32_t) state;
}

#endif


/* Before main(): nobody has to lock, or to ask whether it was done. */
static void
setter_crc32c_init(void)
{
    int       i, bit;
    uint32_t  crc, (*slices)[256];

    slices = setter_crc32c_slices;

    for (i = 0; i < 256; i++) {
        crc = i;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? SETTER_CRC32C_POLYNOMIAL : 0);
        }

        slices[0][i] = crc;
    }

    for (i = 256; i < SETTER_CRC32C_SLICES * 256; i++) {
        crc = slices[i / 256 - 1][i % 256];
        slices[i / 256][i % 256] = (crc >> 8) ^ slices[0][crc & 0xff];
    }

#if defined(__x86_64__)
    __builtin_cpu_init();
    setter_crc32c_has_sse42 = __builtin_cpu_supports("sse4.2");
#endif
}


uint32_t
setter_crc32c(uint32_t crc, const void *data, size_t len)
{
#if defined(__x86_64__)
    if (setter_crc32c_has_sse42) {
        return ~setter_crc32c_sse42(~crc, data, len);
    }
#endif

    return setter_crc32c_portable(crc, data, len);
}


uint32_t
setter_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const unsigned char  *p;
    uint32_t              (*slices)[256];

    p = data;
    crc = ~crc;
    slices = setter_crc32c_slices;

    while (len >= 8) {
        crc ^= p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
               | (uint32_t) p[3] << 24;

        crc = slices[7][crc & 0xff] ^ slices[6][crc >> 8 & 0xff]
              ^ slices[5][crc >> 16 & 0xff] ^ slices[4][crc >> 24]
              ^ slices[3][p[4]] ^ slices[2][p[5]]
              ^ slices[1][p[6]] ^ slices[0][p[7]];

        p += 8;
        len -= 8;
    }

    while (len-- > 0) {
        crc = (crc >> 8) ^ slices[0][(crc ^ *p++) & 0xff];
    }

    return ~crc;
}
