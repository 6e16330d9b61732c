#include <string.h>

#include "channel/template.h"
#include "setter_json.h"


enum {
    TEMPLATE_NAME,
    TEMPLATE_LANGUAGE,
    TEMPLATE_PARAMETERS,
    TEMPLATE_NPATHS
};

static const setter_json_path_t  template_paths[TEMPLATE_NPATHS] = {
    { "name", 0 },
    { "language", 0 },
    { "parameters", SETTER_JSON_TEXT },
};


static const char *template_parameters(channel_template_t *template,
    const setter_json_value_t *value);


const char *
template_read(channel_template_t *template, setter_str_t json, arena_t *arena)
{
    setter_json_value_t   values[TEMPLATE_NPATHS];
    setter_json_value_t  *name, *language;

    memset(template, 0, sizeof(channel_template_t));

    if (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR,
                         template_paths, TEMPLATE_NPATHS, values, NULL,
                         arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        return "template is no JSON object";
    }

    name = &values[TEMPLATE_NAME];
    language = &values[TEMPLATE_LANGUAGE];

    if (name->type != SETTER_JSON_STRING || name->text.len == 0
        || name->text.len > TEMPLATE_MAX_NAME)
    {
        return "template.name is missing, no text or too long";
    }

    template->name = name->text;
    template->language = (setter_str_t) setter_str("en");

    if (language->type == SETTER_JSON_STRING && language->text.len > 0) {
        template->language = language->text;

    } else if (language->type != SETTER_JSON_ABSENT
               && language->type != SETTER_JSON_NULL)
    {
        return "template.language is no text";
    }

    if (template->language.len > TEMPLATE_MAX_LANGUAGE) {
        return "template.language is too long";
    }

    return template_parameters(template, &values[TEMPLATE_PARAMETERS]);
}


static const char *
template_parameters(channel_template_t *template,
    const setter_json_value_t *value)
{
    size_t        n;
    setter_str_t  rest, one;

    if (value->type == SETTER_JSON_ABSENT || value->type == SETTER_JSON_NULL) {
        return NULL;
    }

    if (value->type != SETTER_JSON_ARRAY) {
        return "template.parameters is no array";
    }

    rest = value->text;

    for (n = 0; template_next(&rest, &one); n++) {
        if (one.len == 0 || one.data[0] != '"') {
            return "template.parameters has what is no text";
        }
    }

    if (n > TEMPLATE_MAX_PARAMETERS) {
        return "template.parameters are too many";
    }

    if (n > 0) {
        template->parameters = value->text;
    }

    return NULL;
}


int
template_next(setter_str_t *parameters, setter_str_t *parameter)
{
    if (parameters->len == 0 || !setter_json_next(parameters, parameter)) {
        return 0;
    }

    while (parameter->len > 0
           && strchr(" \t\r\n", parameter->data[parameter->len - 1]) != NULL)
    {
        parameter->len--;
    }

    return 1;
}
