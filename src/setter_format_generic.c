/* The envelope's own names. */

#include "setter_format_tables.h"


static const setter_format_field_t  setter_generic_fields[] = {
    { "from", SETTER_FIELD_ID, 1, 0, setter_job_member(from) },
    { "text", SETTER_FIELD_TEXT, 1, 0, setter_job_member(text) },
    { "to", SETTER_FIELD_ID, 0, 0, setter_job_member(to) },
    { "channel", SETTER_FIELD_ID, 0, 0, setter_job_member(channel) },
    { "consumer", SETTER_FIELD_ID, 0, 0, setter_job_member(consumer) },
    { "workflow", SETTER_FIELD_ID, 0, 0, setter_job_member(workflow) },
    { "type", SETTER_FIELD_ID, 0, 0, setter_job_member(type) },
    { "media", SETTER_FIELD_JSON, 0, 0, setter_job_member(media) },
    { "provider", SETTER_FIELD_ID, 0, 0, setter_job_member(provider) },
    { "provider_id", SETTER_FIELD_ID, 0, 0, setter_job_member(provider_id) },
    { "profile", SETTER_FIELD_OBJECT, 0, 0, setter_job_member(profile) },
    { "message_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_DATA },
    { "tenant_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_NONE }
};

const setter_format_t  setter_format_generic = {
    .name = "generic",
    .kind = "message",
    .dedupe = "message_id",
    .tenant = "tenant_id",
    .fields = setter_generic_fields,
    .nfields = sizeof(setter_generic_fields)
               / sizeof(setter_generic_fields[0])
};
