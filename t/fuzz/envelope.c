/*
 * The reader of envelopes: what it reads it writes so that the same is read
 * again.
 */

#include "fuzz.h"
#include "setter_job.h"


static void check_member(setter_str_t a, setter_str_t b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned        control;
    setter_buf_t    envelope;
    setter_job_t    job, again;
    setter_str_t    text;
    fuzz_memory_t   memory, limited;

    control = fuzz_control(data, &size);
    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    fuzz_memory(&limited, control);

    if (setter_job_read(&job, text.data, text.len, &limited.alloc)
        == SETTER_OK)
    {
        fuzz_holds(job.id.len > 0 && job.kind.len > 0);
        fuzz_holds(job.tenant.len > 0 && job.lane.len > 0);

        /* years 0 to 9999 can be written; before 1970 nobody wrote to us */
        if (job.received_ms < 0) {
            job.received_ms = 0;
        }

        setter_buf_init(&envelope, &memory.alloc, 0);
        setter_job_write(&envelope, &job);
        fuzz_holds(!envelope.failed);
        fuzz_holds(setter_job_read(&again, envelope.data, envelope.len,
                                   &memory.alloc)
                   == SETTER_OK);

        check_member(job.id, again.id);
        check_member(job.kind, again.kind);
        check_member(job.tenant, again.tenant);
        check_member(job.lane, again.lane);
        check_member(job.channel, again.channel);
        check_member(job.from, again.from);
        check_member(job.to, again.to);
        check_member(job.text, again.text);
        check_member(job.media, again.media);
        check_member(job.provider, again.provider);
        check_member(job.profile, again.profile);
        check_member(job.trace, again.trace);
        check_member(job.data, again.data);
        fuzz_holds(job.received_ms == again.received_ms);
    }

    fuzz_forget(&limited);
    fuzz_forget(&memory);

    return 0;
}


static void
check_member(setter_str_t a, setter_str_t b)
{
    fuzz_holds(fuzz_same(a, b));
}
