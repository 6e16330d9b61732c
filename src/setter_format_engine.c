/*
 * The inbound webhook of the conversation engine: who wrote what, to be
 * answered on WhatsApp through Infobip.
 */

#include "setter_format_tables.h"


static const setter_format_field_t  setter_engine_fields[] = {
    { "from", SETTER_FIELD_ID, 1, 0, setter_job_member(from) },
    { "message", SETTER_FIELD_TEXT, 1, 0, setter_job_member(text) },
    { "to", SETTER_FIELD_ID, 0, 0, setter_job_member(to) },
    { "message_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_DATA },
    { "tenant_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_NONE }
};

static const struct setter_format_default_s  setter_engine_defaults[] = {
    { "channel", "whatsapp" },
    { NULL, NULL }
};

const setter_format_t  setter_format_engine = {
    .name = "engine",
    .provider = "infobip",
    .kind = "message",
    .dedupe = "message_id",
    .tenant = "tenant_id",
    .fields = setter_engine_fields,
    .nfields = sizeof(setter_engine_fields) / sizeof(setter_engine_fields[0]),
    .defaults = setter_engine_defaults
};
