/*
 * application/x-www-form-urlencoded, read as the WHATWG's URL standard says
 * (section 5.1): names and values by bytes, of which nobody knows whether they
 * are text.
 */

#ifndef SETTER_FORM_H
#define SETTER_FORM_H

#include "setter_buf.h"


#define SETTER_FORM_MAX  1000       /* fields */

typedef struct {
    setter_str_t  name;
    setter_str_t  value;
} setter_form_field_t;


/*
 * The fields, in the order they stand, from alloc.  SETTER_ERROR: there are
 * more than SETTER_FORM_MAX; SETTER_NO_MEMORY.
 */
int setter_form_read(setter_str_t body, setter_form_field_t **fields,
    size_t *n, setter_alloc_t *alloc);

/*
 * Appends them as a JSON object of strings, of fields of one name the first.
 * What is no UTF-8 stays so: whoever reads it has it repaired.
 */
void setter_form_json(setter_buf_t *buf, const setter_form_field_t *fields,
    size_t n);


#endif /* SETTER_FORM_H */
