/*
 * Jobs that come as text: one that is taken has a header and an envelope
 * that agree, and one that is not has a field that is wrong.
 */

#include "fuzz.h"
#include "reply/posted.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 error[160] = "";
    arena_t             *arena;
    posted_t             posted;
    setter_str_t         text;
    setter_job_t         job;
    fuzz_memory_t        memory;
    setter_job_header_t  header;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    arena = arena_create();
    fuzz_holds(arena != NULL);

    if (posted_read(&posted, text.data, "default", error, sizeof(error),
                    arena)
        == 0)
    {
        fuzz_holds(setter_job_header_read(&header, posted.header)
                   == SETTER_OK);
        fuzz_holds(setter_job_read(&job, posted.envelope.data,
                                   posted.envelope.len, arena_alloc(arena))
                   == SETTER_OK);
        fuzz_holds(setter_uuid_valid(header.id));
        fuzz_holds(setter_slug_valid(header.tenant));
        fuzz_holds(fuzz_same(header.id, job.id));
        fuzz_holds(fuzz_same(header.tenant, job.tenant));
        fuzz_holds(fuzz_same(header.kind, job.kind));
        fuzz_holds(fuzz_same(header.lane, job.lane));
        fuzz_holds(header.lane.len <= SETTER_LANE_MAX);
        fuzz_holds(header.lane.data[header.tenant.len] == '/');

    } else {
        fuzz_holds(strchr(error, ':') != NULL);
    }

    arena_destroy(arena);
    fuzz_forget(&memory);

    return 0;
}
