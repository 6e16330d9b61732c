/*
 * A message to a person, at somebody's order: "setter_api send".  The person
 * is "to" here, and "from" in the job, as in the messages that come from it.
 */

#include "setter_format_tables.h"


static const setter_format_field_t  setter_send_fields[] = {
    { "to", SETTER_FIELD_ID, 1, 0, setter_job_member(from) },
    { "message", SETTER_FIELD_TEXT, 1, 0, setter_job_member(text) },
    { "from", SETTER_FIELD_ID, 0, 0, setter_job_member(to) },
    { "provider", SETTER_FIELD_ID, 0, 0, setter_job_member(provider) },
    { "channel", SETTER_FIELD_ID, 0, 0, setter_job_member(channel) },
    { "send_at", SETTER_FIELD_TIME, 0, 0, SETTER_FIELD_DATA },
    { "message_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_DATA },
    { "template", SETTER_FIELD_OBJECT, 0, 0, SETTER_FIELD_DATA },
    { "media", SETTER_FIELD_REFUSED, 0, 0, SETTER_FIELD_NONE },
    { "buttons", SETTER_FIELD_REFUSED, 0, 0, SETTER_FIELD_NONE },
    { "tenant_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_NONE }
};

const setter_format_t  setter_format_send = {
    .name = "send",
    .provider = "infobip",
    .kind = "send",
    .dedupe = "message_id",
    .tenant = "tenant_id",
    .fields = setter_send_fields,
    .nfields = sizeof(setter_send_fields) / sizeof(setter_send_fields[0])
};
