#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_tenant.h"


static ngx_int_t ngx_http_setter_member_name(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *name);
static ngx_int_t ngx_http_setter_plan_format(ngx_conf_t *cf,
    ngx_http_setter_plan_t *plan, const setter_format_t *format);
static ngx_int_t ngx_http_setter_plan_members(ngx_http_setter_plan_t *plan,
    ngx_array_t *members, size_t offset);
static ngx_int_t ngx_http_setter_plan_required(ngx_http_setter_plan_t *plan,
    ngx_array_t *names);
static ngx_int_t ngx_http_setter_plan_key(ngx_http_setter_plan_t *plan,
    ngx_http_setter_loc_conf_t *slcf);
static ngx_int_t ngx_http_setter_plan_tenants(ngx_conf_t *cf,
    ngx_http_setter_plan_t *plan, ngx_http_setter_loc_conf_t *slcf);
static ngx_http_setter_field_t *ngx_http_setter_plan_find(
    ngx_http_setter_plan_t *plan, ngx_str_t *name);
static ngx_http_setter_field_t *ngx_http_setter_plan_add(
    ngx_http_setter_plan_t *plan, const setter_format_field_t *field,
    const char *name, unsigned flags);
static ngx_int_t ngx_http_setter_plan_path(ngx_http_setter_plan_t *plan,
    const char *path, unsigned flags);


/* members of a job that are not for a configuration to say */

static ngx_str_t  ngx_http_setter_reserved[] = {
    ngx_string("id"),
    ngx_string("kind"),
    ngx_string("tenant"),
    ngx_string("lane"),
    ngx_string("media"),
    ngx_string("profile"),
    ngx_string("received_at"),
    ngx_string("trace"),
    ngx_string("data"),
    ngx_null_string
};


char *
ngx_http_setter_require_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (slcf->required == NGX_CONF_UNSET_PTR) {
        slcf->required = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (slcf->required == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            return "invalid value";
        }

        name = ngx_array_push(slcf->required);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_setter_member_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_array_t               **members;
    ngx_http_setter_member_t   *member;

    members = (ngx_array_t **) (p + cmd->offset);
    value = cf->args->elts;

    if (ngx_http_setter_member_name(cf, cmd, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (*members == NGX_CONF_UNSET_PTR) {
        *members = ngx_array_create(cf->pool, 4,
                                    sizeof(ngx_http_setter_member_t));
        if (*members == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    member = (*members)->elts;

    for (i = 0; i < (*members)->nelts; i++) {
        if (ngx_strcmp(member[i].name.data, value[1].data) == 0) {
            return "is duplicate";
        }
    }

    member = ngx_array_push(*members);
    if (member == NULL) {
        return NGX_CONF_ERROR;
    }

    member->name = value[1];

    if (ngx_http_setter_complex_value(cf, &value[2], &member->value)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_member_name(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *name)
{
    ngx_str_t  *reserved;

    for (reserved = ngx_http_setter_reserved; reserved->len; reserved++) {
        if (ngx_strcmp(name->data, reserved->data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is reserved, \"%V\" cannot name it",
                               reserved, &cmd->name);
            return NGX_ERROR;
        }
    }

    if (name->len == 0
        || ngx_strlchr(name->data, name->data + name->len, '.') != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid field \"%V\" in \"%V\"", name,
                           &cmd->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_setter_dedupe_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->no_dedupe != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "invalid value";
    }

    slcf->no_dedupe = (ngx_strcmp(value[1].data, "off") == 0);

    if (!slcf->no_dedupe) {
        slcf->dedupe = value[1];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_setter_plan(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    ngx_http_setter_plan_t  *plan;

    plan = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_plan_t));
    if (plan == NULL) {
        return NGX_CONF_ERROR;
    }

    slcf->plan = plan;
    plan->whole = slcf->validate;

    if (ngx_array_init(&plan->fields, cf->pool, 16,
                       sizeof(ngx_http_setter_field_t)) != NGX_OK
        || ngx_array_init(&plan->paths, cf->pool, 16,
                          sizeof(setter_json_path_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_setter_plan_format(cf, plan, slcf->format) != NGX_OK
        || ngx_http_setter_plan_members(plan, slcf->defaults,
                               offsetof(ngx_http_setter_field_t, initial))
           != NGX_OK
        || ngx_http_setter_plan_members(plan, slcf->sets,
                               offsetof(ngx_http_setter_field_t, set))
           != NGX_OK
        || (slcf->format->events == NULL
            && (ngx_http_setter_plan_required(plan, slcf->required) != NGX_OK
                || ngx_http_setter_plan_key(plan, slcf) != NGX_OK))
        || ngx_http_setter_plan_tenants(cf, plan, slcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (plan->paths.nelts > SETTER_JSON_MAX_PATHS) {
        return "names too many fields";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_plan_format(ngx_conf_t *cf, ngx_http_setter_plan_t *plan,
    const setter_format_t *format)
{
    size_t                     i;
    unsigned                   flags;
    ngx_array_t                members;
    ngx_http_setter_member_t  *member;

    for (i = 0; i < format->nfields; i++) {

        flags = (format->fields[i].member == SETTER_FIELD_DATA || plan->whole)
                    ? SETTER_JSON_KEEP : SETTER_JSON_TEXT;

        if (ngx_http_setter_plan_add(plan, &format->fields[i],
                                     format->fields[i].path, flags)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_array_init(&members, cf->pool, 4,
                       sizeof(ngx_http_setter_member_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; format->defaults && format->defaults[i].field; i++) {
        member = ngx_array_push(&members);
        if (member == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(member, sizeof(ngx_http_setter_member_t));

        member->name.data = (u_char *) format->defaults[i].field;
        member->name.len = ngx_strlen(member->name.data);
        member->value.value.data = (u_char *) format->defaults[i].value;
        member->value.value.len = ngx_strlen(member->value.value.data);
    }

    return ngx_http_setter_plan_members(plan, &members,
                                offsetof(ngx_http_setter_field_t, initial));
}


static ngx_int_t
ngx_http_setter_plan_members(ngx_http_setter_plan_t *plan,
    ngx_array_t *members, size_t offset)
{
    ngx_uint_t                  i;
    setter_json_path_t         *path;
    setter_format_field_t       field;
    ngx_http_setter_field_t    *f;
    ngx_http_setter_member_t   *member;
    ngx_http_complex_value_t  **value;

    if (members == NULL) {
        return NGX_OK;
    }

    member = members->elts;

    for (i = 0; i < members->nelts; i++) {

        f = ngx_http_setter_plan_find(plan, &member[i].name);

        if (f == NULL) {
            ngx_memzero(&field, sizeof(setter_format_field_t));

            field.member = plan->whole
                               ? SETTER_FIELD_DATA
                               : setter_format_member(
                                       ngx_http_setter_text(&member[i].name));

            if (field.member == SETTER_FIELD_DATA) {
                field.type = SETTER_FIELD_JSON;
                field.path = (char *) member[i].name.data;
            }

            f = ngx_http_setter_plan_add(plan, &field,
                                         (char *) member[i].name.data,
                                         SETTER_JSON_TEXT);
            if (f == NULL) {
                return NGX_ERROR;
            }
        }

        /* what we write is not to be there twice */

        if (f->kept) {
            f->kept = 0;
            path = plan->paths.elts;
            path[f->path].flags = SETTER_JSON_TEXT;
        }

        value = (ngx_http_complex_value_t **) ((char *) f + offset);
        *value = &member[i].value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_plan_required(ngx_http_setter_plan_t *plan,
    ngx_array_t *names)
{
    ngx_str_t                *name;
    ngx_uint_t                i;
    setter_format_field_t     field;
    ngx_http_setter_field_t  *f;

    if (names == NULL) {
        return NGX_OK;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        f = ngx_http_setter_plan_find(plan, &name[i]);

        if (f == NULL) {
            ngx_memzero(&field, sizeof(setter_format_field_t));

            field.path = (char *) name[i].data;
            field.type = SETTER_FIELD_JSON;
            field.member = SETTER_FIELD_NONE;

            f = ngx_http_setter_plan_add(plan, &field, field.path,
                                         SETTER_JSON_KEEP);
            if (f == NULL) {
                return NGX_ERROR;
            }
        }

        f->field.required = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_plan_key(ngx_http_setter_plan_t *plan,
    ngx_http_setter_loc_conf_t *slcf)
{
    ngx_str_t                 name;
    setter_format_field_t     field;
    ngx_http_setter_field_t  *f;

    plan->key = -1;

    name = slcf->dedupe;

    if (name.len == 0 && slcf->format->dedupe) {
        name.data = (u_char *) slcf->format->dedupe;
        name.len = ngx_strlen(name.data);
    }

    if (name.len == 0 || slcf->no_dedupe) {
        return NGX_OK;
    }

    f = ngx_http_setter_plan_find(plan, &name);

    if (f == NULL) {
        ngx_memzero(&field, sizeof(setter_format_field_t));

        field.path = (char *) name.data;
        field.type = SETTER_FIELD_ID;
        field.member = SETTER_FIELD_NONE;

        f = ngx_http_setter_plan_add(plan, &field, field.path,
                                     SETTER_JSON_KEEP);
        if (f == NULL) {
            return NGX_ERROR;
        }
    }

    plan->key = f - (ngx_http_setter_field_t *) plan->fields.elts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_plan_tenants(ngx_conf_t *cf, ngx_http_setter_plan_t *plan,
    ngx_http_setter_loc_conf_t *slcf)
{
    ngx_int_t                  path;
    ngx_uint_t                 i;
    ngx_http_setter_source_t  *source;

    plan->claim = -1;

    if (slcf->format->tenant) {
        plan->claim = ngx_http_setter_plan_path(plan, slcf->format->tenant,
                                                SETTER_JSON_KEEP);
        if (plan->claim == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (slcf->tenants == NULL) {
        return NGX_OK;
    }

    plan->tenants = ngx_pcalloc(cf->pool,
                                slcf->tenants->nelts * sizeof(ngx_uint_t));
    if (plan->tenants == NULL) {
        return NGX_ERROR;
    }

    source = slcf->tenants->elts;

    for (i = 0; i < slcf->tenants->nelts; i++) {

        if (source[i].field.len == 0) {
            continue;
        }

        path = ngx_http_setter_plan_path(plan, (char *) source[i].field.data,
                                         SETTER_JSON_KEEP);
        if (path == NGX_ERROR) {
            return NGX_ERROR;
        }

        plan->tenants[i] = path;
    }

    return NGX_OK;
}


/* By its name in the body, else by what it becomes in the job. */

static ngx_http_setter_field_t *
ngx_http_setter_plan_find(ngx_http_setter_plan_t *plan, ngx_str_t *name)
{
    size_t                    member;
    ngx_uint_t                i;
    ngx_http_setter_field_t  *f;

    f = plan->fields.elts;

    for (i = 0; i < plan->fields.nelts; i++) {
        if (f[i].field.path
            && ngx_strcmp(f[i].field.path, name->data) == 0)
        {
            return &f[i];
        }
    }

    member = setter_format_member(ngx_http_setter_text(name));

    if (member == SETTER_FIELD_DATA) {
        return NULL;
    }

    for (i = 0; i < plan->fields.nelts; i++) {
        if (f[i].field.member == member) {
            return &f[i];
        }
    }

    return NULL;
}


static ngx_http_setter_field_t *
ngx_http_setter_plan_add(ngx_http_setter_plan_t *plan,
    const setter_format_field_t *field, const char *name, unsigned flags)
{
    ngx_http_setter_field_t  *f;

    f = ngx_array_push(&plan->fields);
    if (f == NULL) {
        return NULL;
    }

    ngx_memzero(f, sizeof(ngx_http_setter_field_t));

    f->name = name;
    f->field = *field;
    f->kept = (flags & SETTER_JSON_KEEP) ? 1 : 0;
    f->path = -1;

    if (field->path) {
        f->path = ngx_http_setter_plan_path(plan, field->path, flags);
        if (f->path == NGX_ERROR) {
            return NULL;
        }
    }

    return f;
}


/* Its index, of the one that is there already where there is one. */

static ngx_int_t
ngx_http_setter_plan_path(ngx_http_setter_plan_t *plan, const char *path,
    unsigned flags)
{
    ngx_uint_t           i;
    setter_json_path_t  *p;

    p = plan->paths.elts;

    for (i = 0; i < plan->paths.nelts; i++) {
        if (ngx_strcmp(p[i].path, path) == 0) {
            return i;
        }
    }

    p = ngx_array_push(&plan->paths);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p->path = path;
    p->flags = flags;

    return i;
}
