#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_pass.h"
#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_ask.h"
#include "ngx_http_setter_stat.h"


#define NGX_HTTP_SETTER_BLOCK          128      /* bytes of an answer */


typedef struct {
    ngx_uint_t   code;
    ngx_str_t   *status;
    ngx_str_t    reason;
    ngx_str_t    message;
} ngx_http_setter_answer_t;


static ngx_int_t ngx_http_setter_reply_provider(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const setter_format_t *format);
static ngx_int_t ngx_http_setter_reply_text(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf, ngx_uint_t code, ngx_str_t *type,
    ngx_str_t *text);
static ngx_int_t ngx_http_setter_reply_surface(ngx_http_request_t *r,
    ngx_str_t *surface);
static ngx_uint_t ngx_http_setter_reply_code(ngx_http_setter_loc_conf_t *slcf,
    ngx_http_setter_outcome_e outcome);
static ngx_int_t ngx_http_setter_reply_envelope(ngx_http_setter_ctx_t *ctx,
    ngx_uint_t code, ngx_str_t *text);


static ngx_str_t  ngx_http_setter_success = ngx_string("SUCCESS");
static ngx_str_t  ngx_http_setter_queued = ngx_string("queued");
static ngx_str_t  ngx_http_setter_invalid = ngx_string("INVALID_INPUT");
static ngx_str_t  ngx_http_setter_refused = ngx_string("ERROR");


/* in the order of ngx_http_setter_outcome_e */

static ngx_http_setter_answer_t  ngx_http_setter_answers[] = {

    { NGX_HTTP_INTERNAL_SERVER_ERROR, &ngx_http_setter_refused,
      ngx_string("undecided"),
      ngx_string("Internal error") },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, &ngx_http_setter_refused,
      ngx_string("passed"),
      ngx_string("Internal error") },

    { NGX_HTTP_CREATED, &ngx_http_setter_success,
      ngx_string("accepted"),
      ngx_string("Message accepted") },

    { NGX_HTTP_NOT_ALLOWED, &ngx_http_setter_refused,
      ngx_string("method"),
      ngx_string("Method not allowed") },

    { NGX_HTTP_UNAUTHORIZED, &ngx_http_setter_refused,
      ngx_string("unauthorized"),
      ngx_string("Unauthorized") },

    { NGX_HTTP_NOT_FOUND, &ngx_http_setter_refused,
      ngx_string("unknown_tenant"),
      ngx_string("Unknown tenant") },

    { NGX_HTTP_FORBIDDEN, &ngx_http_setter_refused,
      ngx_string("forbidden"),
      ngx_string("The body names another tenant") },

    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, &ngx_http_setter_invalid,
      ngx_string("media_type"),
      ngx_string("Content-Type must be application/json") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, &ngx_http_setter_invalid,
      ngx_string("too_large"),
      ngx_string("Payload too large") },

    { NGX_HTTP_BAD_REQUEST, &ngx_http_setter_invalid,
      ngx_string("json"),
      ngx_string("Body is not a JSON object") },

    { NGX_HTTP_UNPROCESSABLE_ENTITY, &ngx_http_setter_invalid,
      ngx_string("fields"),
      ngx_string("Missing required fields") },

    { NGX_HTTP_TOO_MANY_REQUESTS, &ngx_http_setter_refused,
      ngx_string("quota"),
      ngx_string("Quota exceeded") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, &ngx_http_setter_refused,
      ngx_string("full"),
      ngx_string("Too many messages are waiting") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, &ngx_http_setter_refused,
      ngx_string("unavailable"),
      ngx_string("Temporarily unavailable") },

    { NGX_HTTP_GATEWAY_TIME_OUT, &ngx_http_setter_refused,
      ngx_string("timeout"),
      ngx_string("Not acknowledged in time and perhaps stored: "
                 "repeat with the same message_id") },

    { NGX_HTTP_UNPROCESSABLE_ENTITY, &ngx_http_setter_invalid,
      ngx_string("unsupported"),
      ngx_string("Not supported") },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, &ngx_http_setter_refused,
      ngx_string("failed"),
      ngx_string("Internal error") },

    { NGX_HTTP_NOT_FOUND, &ngx_http_setter_refused,
      ngx_string("no_job"),
      ngx_string("No such job") },

    { NGX_HTTP_CONFLICT, &ngx_http_setter_refused,
      ngx_string("stale"),
      ngx_string("The job is not in the hands of who has this token") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, &ngx_http_setter_refused,
      ngx_string("unloaded"),
      ngx_string("No worker has run yet") },

    { NGX_HTTP_GATEWAY_TIME_OUT, &ngx_http_setter_refused,
      ngx_string("no_reply"),
      ngx_string("Not acknowledged in time and perhaps done") },

    { NGX_HTTP_GATEWAY_TIME_OUT, &ngx_http_setter_refused,
      ngx_string("no_answer"),
      ngx_string("No worker answered in time") }
};


void
ngx_http_setter_end(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome)
{
    if (outcome == ngx_http_setter_passed) {
        ngx_http_setter_pass_on(r, ctx);
        return;
    }

    ngx_http_finalize_request(r, ngx_http_setter_reply(r, ctx, outcome));
}


void
ngx_http_setter_reply_later(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_outcome_e outcome)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_setter_end(r, ctx, outcome);

    /* neither r nor ctx may be there any more */

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_http_setter_reply(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome)
{
    ngx_str_t                    type;
    ngx_uint_t                   code;
    ngx_http_complex_value_t     cv;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ctx->outcome == ngx_http_setter_undecided) {
        ngx_http_setter_decide(r, ctx, outcome);
    }

    code = ngx_http_setter_reply_code(slcf, ctx->outcome);

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    if (slcf->format && slcf->format->events && code == NGX_HTTP_OK) {
        return ngx_http_setter_reply_provider(r, ctx, slcf->format);
    }

    if (ngx_http_setter_reply_headers(r, ctx, code) != NGX_OK
        || ngx_http_setter_reply_text(ctx, slcf, code, &type, &cv.value)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a body that was not read is not asked for now */
    r->expect_tested = 1;

    return ngx_http_send_response(r, code, &type, &cv);
}


/* An envelope, or of "setter_call" a problem. */

static ngx_int_t
ngx_http_setter_reply_text(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf, ngx_uint_t code, ngx_str_t *type,
    ngx_str_t *text)
{
    if (slcf->api && slcf->api->directive) {
        ngx_str_set(type, NGX_HTTP_SETTER_PROBLEM);

        return ngx_http_setter_ask_problem(ctx, code,
                   &ngx_http_setter_answers[ctx->outcome].message, text);
    }

    ngx_str_set(type, "application/json");

    return ngx_http_setter_reply_envelope(ctx, code, text);
}


/* What the provider wants to hear. */

static ngx_int_t
ngx_http_setter_reply_provider(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const setter_format_t *format)
{
    ngx_str_t                 type, surface;
    setter_buf_t              buf;
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    ngx_str_set(&type, "text/plain");

    if (format->answer) {
        cv.value.data = (u_char *) format->answer;
        cv.value.len = ngx_strlen(format->answer);
    }

    if (format->write_answer) {

        if (ngx_http_setter_reply_surface(r, &surface) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        setter_buf_init(&buf, &ctx->alloc, NGX_HTTP_SETTER_BLOCK);
        format->write_answer(ngx_http_setter_text(&surface), &buf);

        if (buf.failed) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cv.value.data = (u_char *) buf.data;
        cv.value.len = buf.len;
    }

    if (format->answer_type) {
        type.data = (u_char *) format->answer_type;
        type.len = ngx_strlen(format->answer_type);
    }

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


/* What the location sets as where replies are shown; empty: nothing. */

static ngx_int_t
ngx_http_setter_reply_surface(ngx_http_request_t *r, ngx_str_t *surface)
{
    ngx_uint_t                   i;
    ngx_http_setter_member_t    *member;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    ngx_str_null(surface);

    if (slcf->sets == NULL || slcf->sets == NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    member = slcf->sets->elts;

    for (i = 0; i < slcf->sets->nelts; i++) {

        if (setter_str_is(ngx_http_setter_text(&member[i].name), "surface")) {
            return ngx_http_complex_value(r, &member[i].value, surface);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_setter_reply_code(ngx_http_setter_loc_conf_t *slcf,
    ngx_http_setter_outcome_e outcome)
{
    if (slcf->format && slcf->format->hook) {

        switch (outcome) {

        case ngx_http_setter_accepted:
        case ngx_http_setter_unknown_tenant:
        case ngx_http_setter_forbidden:
        case ngx_http_setter_json:
        case ngx_http_setter_fields:

            /* repeating it would change nothing */

            return NGX_HTTP_OK;

        default:
            return ngx_http_setter_answers[outcome].code;
        }
    }

    if (slcf->api && outcome == ngx_http_setter_accepted) {
        return NGX_HTTP_ACCEPTED;
    }

    if (slcf->compat && outcome != ngx_http_setter_method) {
        return NGX_HTTP_CREATED;
    }

    return ngx_http_setter_answers[outcome].code;
}


void
ngx_http_setter_decide(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome)
{
    ngx_http_setter_loc_conf_t   *slcf;
    ngx_http_setter_main_conf_t  *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    ctx->outcome = outcome;

    if (slcf->format) {
        ngx_http_setter_stat_outcome(smcf, slcf->format_n, outcome);
    }

    if (outcome == ngx_http_setter_accepted) {
        ngx_http_setter_stat_tenant(smcf, ctx->place);

        if (ctx->key.len) {
            ngx_http_setter_stat_id(smcf, slcf->format_n, ctx->id);
        }

        return;
    }

    /* what timed out may have been stored, and is counted */

    if (outcome != ngx_http_setter_timeout) {
        ngx_http_setter_admit_undo(ctx);
    }

    if (outcome == ngx_http_setter_too_large) {
        ngx_http_setter_error(ctx, "body", SETTER_FIELD_TOO_LONG);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "setter: refused, %V%s%s", ngx_http_setter_reason(outcome),
                  ctx->detail ? ": " : "", ctx->detail ? ctx->detail : "");
}


static ngx_int_t
ngx_http_setter_reply_envelope(ngx_http_setter_ctx_t *ctx, ngx_uint_t code,
    ngx_str_t *text)
{
    setter_buf_t               buf;
    setter_str_t               id;
    ngx_http_setter_answer_t  *answer;

    answer = &ngx_http_setter_answers[ctx->outcome];

    setter_buf_init(&buf, &ctx->alloc, 192 + ctx->errors.len);

    if (ctx->outcome == ngx_http_setter_accepted) {
        id.data = ctx->id;
        id.len = SETTER_UUID_LEN;

        setter_buf_byte(&buf, '{');
        setter_json_member(&buf, "id", id);

    } else {
        setter_buf_text(&buf, "{\"id\":null");
    }

    setter_json_member(&buf, "status",
                       ngx_http_setter_text((code == NGX_HTTP_ACCEPTED)
                                                ? &ngx_http_setter_queued
                                                : answer->status));
    setter_json_name(&buf, "message");

    if (ctx->detail) {
        setter_buf_byte(&buf, '"');
        setter_buf_append(&buf, (char *) answer->message.data,
                          answer->message.len);
        setter_buf_text(&buf, ": ");
        setter_buf_append(&buf, ctx->detail, ngx_strlen(ctx->detail));
        setter_buf_byte(&buf, '"');

    } else {
        setter_json_string(&buf, (char *) answer->message.data,
                           answer->message.len);
    }

    if (answer->status == &ngx_http_setter_invalid) {
        setter_json_name(&buf, "errors");
        setter_buf_byte(&buf, '[');
        setter_buf_append(&buf, ctx->errors.data, ctx->errors.len);
        setter_buf_byte(&buf, ']');
    }

    setter_buf_byte(&buf, '}');

    if (buf.failed) {
        return NGX_ERROR;
    }

    text->data = (u_char *) buf.data;
    text->len = buf.len;

    return NGX_OK;
}


ngx_str_t *
ngx_http_setter_reason(ngx_http_setter_outcome_e outcome)
{
    return &ngx_http_setter_answers[outcome].reason;
}


ngx_str_t *
ngx_http_setter_status(ngx_http_setter_outcome_e outcome)
{
    return ngx_http_setter_answers[outcome].status;
}


void
ngx_http_setter_error(ngx_http_setter_ctx_t *ctx, const char *field,
    setter_field_error_e error)
{
    setter_buf_t  *errors;

    errors = &ctx->errors;

    if (error == SETTER_FIELD_UNSUPPORTED) {
        ctx->unsupported = 1;
    }

    if (errors->alloc == NULL) {
        setter_buf_init(errors, &ctx->alloc, 0);

    } else {
        setter_buf_byte(errors, ',');
    }

    setter_buf_byte(errors, '{');
    setter_json_member(errors, "field", ngx_http_setter_constant(field));
    setter_json_member(errors, "error",
                     ngx_http_setter_constant(setter_field_strerror(error)));
    setter_buf_byte(errors, '}');
}


ngx_http_setter_outcome_e
ngx_http_setter_bad_json(ngx_http_setter_ctx_t *ctx,
    setter_json_error_e error)
{
    if (error == SETTER_JSON_NO_MEMORY) {
        return ngx_http_setter_failed;
    }

    ctx->detail = setter_json_strerror(error);
    ngx_http_setter_error(ctx, "body", error == SETTER_JSON_ENCODING
                                           ? SETTER_FIELD_ENCODING
                                           : SETTER_FIELD_BAD_TYPE);

    return ngx_http_setter_json;
}
