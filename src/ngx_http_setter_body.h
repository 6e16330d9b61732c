/*
 * The body of a request as one text.
 */

#ifndef _NGX_HTTP_SETTER_BODY_H_INCLUDED_
#define _NGX_HTTP_SETTER_BODY_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * The body that has been read, in place where it is one buffer, else copied
 * from many or from the temporary file: "undecided".  "too large" when it is
 * longer than max, "failed".
 */
ngx_http_setter_outcome_e ngx_http_setter_body(ngx_http_request_t *r,
    size_t max, setter_str_t *body);


#endif /* _NGX_HTTP_SETTER_BODY_H_INCLUDED_ */
