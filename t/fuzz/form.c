/*
 * Forms: what is read becomes an object that can be read again, whatever bytes
 * there are, and what Twilio would sign of it.
 */

#include "fuzz.h"
#include "setter_form.h"
#include "setter_json.h"
#include "setter_sign.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                i, n, len;
    setter_buf_t          json;
    setter_str_t          text;
    fuzz_memory_t         memory;
    setter_form_field_t  *fields;

    static const setter_str_t  sign = setter_str("c2lnbmF0dXJl"),
                               url = setter_str("https://a.example/b?c=d");

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    if (setter_form_read(text, &fields, &n, &memory.alloc) == SETTER_OK) {
        len = 0;

        for (i = 0; i < n; i++) {
            len += fields[i].name.len + fields[i].value.len;
        }

        fuzz_holds(len <= text.len);
        setter_buf_init(&json, &memory.alloc, 0);
        setter_form_json(&json, fields, n);
        fuzz_holds(!json.failed);
        (void) setter_json_read(json.data, json.len, SETTER_JSON_REPAIR, NULL,
                                0, NULL, NULL, &memory.alloc);
    }

    fuzz_holds(setter_sign_twilio(sign, sign, url, text, &memory.alloc)
               == SETTER_ERROR);
    fuzz_forget(&memory);

    return 0;
}
