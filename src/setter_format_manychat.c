/*
 * ManyChat's External Request, as the flows of the lead bot send it.  There
 * an unfilled variable arrives as it was typed, "{{last_input_text}}".
 */

#include "setter_format_tables.h"


static const setter_format_field_t  setter_manychat_fields[] = {
    { "lead_identification", SETTER_FIELD_ID, 1, 1, SETTER_FIELD_DATA },
    { "lead_message", SETTER_FIELD_TEXT, 1, 1, setter_job_member(text) },
    { "chat_id", SETTER_FIELD_ID, 1, 1, setter_job_member(from) },
    { "page_id", SETTER_FIELD_ID, 0, 1, setter_job_member(to) },
    { "channel", SETTER_FIELD_ID, 0, 1, setter_job_member(channel) },
    { "consumer", SETTER_FIELD_ID, 0, 1, setter_job_member(consumer) },
    { "workflow", SETTER_FIELD_ID, 0, 1, setter_job_member(workflow) },
    { "message_id", SETTER_FIELD_ID, 0, 1, SETTER_FIELD_DATA },
    { "tenant_id", SETTER_FIELD_ID, 0, 1, SETTER_FIELD_NONE }
};

static const struct setter_format_default_s  setter_manychat_defaults[] = {
    { "channel", "telegram" },
    { "consumer", "MANYCHAT" },
    { "workflow", "SETTER" },
    { NULL, NULL }
};

const setter_format_t  setter_format_manychat = {
    .name = "manychat",
    .provider = "manychat",
    .kind = "message",
    .dedupe = "message_id",
    .tenant = "tenant_id",
    .fields = setter_manychat_fields,
    .nfields = sizeof(setter_manychat_fields)
               / sizeof(setter_manychat_fields[0]),
    .defaults = setter_manychat_defaults
};
