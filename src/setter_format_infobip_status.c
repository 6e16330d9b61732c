/*
 * Infobip's delivery and seen reports.  A request brings any number of them,
 * and becomes one job: the worker takes them apart.
 */

#include "setter_format_tables.h"


static const setter_format_field_t  setter_infobip_status_fields[] = {
    { "results", SETTER_FIELD_JSON, 1, 0, SETTER_FIELD_DATA }
};

const setter_format_t  setter_format_infobip_status = {
    .name = "infobip_status",
    .provider = "infobip",
    .kind = "status",
    .apart = 1,
    .hook = 1,
    .fields = setter_infobip_status_fields,
    .nfields = sizeof(setter_infobip_status_fields)
               / sizeof(setter_infobip_status_fields[0])
};
