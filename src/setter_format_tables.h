/* The tables that setter_format_find() knows. */

#ifndef SETTER_FORMAT_TABLES_H
#define SETTER_FORMAT_TABLES_H

#include "setter_format.h"


extern const setter_format_t  setter_format_manychat;
extern const setter_format_t  setter_format_engine;
extern const setter_format_t  setter_format_generic;
extern const setter_format_t  setter_format_infobip_status;
extern const setter_format_t  setter_format_meta;
extern const setter_format_t  setter_format_send;

#define setter_job_member(name)  offsetof(setter_job_t, name)


#endif /* SETTER_FORMAT_TABLES_H */
