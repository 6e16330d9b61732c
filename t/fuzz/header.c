/*
 * The reader of header lines: what it takes is written back as it was, as far
 * as this version knows its fields.
 */

#include "fuzz.h"
#include "setter_job.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setter_buf_t         line;
    setter_str_t         text;
    fuzz_memory_t        memory;
    setter_job_header_t  header, again;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    memset(&header, 0, sizeof(header));

    if (setter_job_header_read(&header, text) == SETTER_OK) {
        fuzz_holds(fuzz_visible(header.id) && fuzz_visible(header.tenant));
        fuzz_holds(fuzz_visible(header.kind) && fuzz_visible(header.lane));
        fuzz_holds(header.received_ms >= 0 && header.debounce_ms >= 0);
        fuzz_holds(header.debounce_max_ms >= 0 && header.send_at_ms >= 0);

        setter_buf_init(&line, &memory.alloc, 0);
        setter_job_header_write(&line, &header);
        fuzz_holds(!line.failed);

        memset(&again, 0, sizeof(again));
        text.data = line.data;
        text.len = line.len;
        fuzz_holds(setter_job_header_read(&again, text) == SETTER_OK);
        fuzz_holds(fuzz_same(header.id, again.id));
        fuzz_holds(fuzz_same(header.tenant, again.tenant));
        fuzz_holds(fuzz_same(header.kind, again.kind));
        fuzz_holds(fuzz_same(header.lane, again.lane));
        fuzz_holds(header.received_ms == again.received_ms);
        fuzz_holds(header.debounce_ms == again.debounce_ms);
        fuzz_holds(header.debounce_max_ms == again.debounce_max_ms);
        fuzz_holds(header.send_at_ms == again.send_at_ms);
    }

    fuzz_forget(&memory);

    return 0;
}
