#include <string.h>

#include "channel/attached.h"
#include "setter_json.h"


enum {
    ATTACHED_TYPE,
    ATTACHED_URL,
    ATTACHED_FILENAME,
    ATTACHED_LIST,
    ATTACHED_NPATHS
};

static const setter_json_path_t  attached_paths[ATTACHED_NPATHS] = {
    { "media.type", 0 },
    { "media.url", 0 },
    { "media.filename", 0 },
    { "buttons", SETTER_JSON_TEXT },
};


static const char *attached_media(channel_attached_t *attached,
    const setter_json_value_t *values);
static const char *attached_buttons(channel_attached_t *attached,
    setter_str_t list, arena_t *arena);


const char *
attached_read(channel_attached_t *attached, setter_str_t json, arena_t *arena)
{
    setter_json_value_t  values[ATTACHED_NPATHS];

    memset(attached, 0, sizeof(channel_attached_t));

    if (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR,
                         attached_paths, ATTACHED_NPATHS, values, NULL,
                         arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        return "what is attached is no JSON object";
    }

    return values[ATTACHED_LIST].type == SETTER_JSON_ARRAY
           ? attached_buttons(attached, values[ATTACHED_LIST].text, arena)
           : attached_media(attached, values);
}


static const char *
attached_media(channel_attached_t *attached,
    const setter_json_value_t *values)
{
    size_t  i;

    static const char *const  types[] = {
        "image", "video", "audio", "document"
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (setter_str_is(values[ATTACHED_TYPE].text, types[i])) {
            break;
        }
    }

    if (i == sizeof(types) / sizeof(types[0])) {
        return "media.type is image, video, audio or document";
    }

    if (values[ATTACHED_URL].type != SETTER_JSON_STRING
        || values[ATTACHED_URL].text.len == 0)
    {
        return "media.url is missing";
    }

    attached->type = (attached_type_e) i;
    attached->type_name.data = types[i];
    attached->type_name.len = strlen(types[i]);
    attached->url = values[ATTACHED_URL].text;
    attached->filename = values[ATTACHED_FILENAME].text;

    return NULL;
}


static const char *
attached_buttons(channel_attached_t *attached, setter_str_t list,
    arena_t *arena)
{
    setter_str_t         one;
    setter_json_value_t  values[2];

    static const setter_json_path_t  paths[] = { { "id", 0 },
                                                 { "title", 0 } };

    while (setter_json_next(&list, &one)) {
        if (attached->nbuttons == ATTACHED_BUTTONS) {
            return "buttons are too many";
        }

        if (setter_json_read(one.data, one.len, SETTER_JSON_REPAIR, paths, 2,
                             values, NULL, arena_alloc(arena))
            != SETTER_JSON_OK
            || values[0].text.len == 0 || values[1].text.len == 0)
        {
            return "buttons have id and title";
        }

        attached->buttons[attached->nbuttons].id = values[0].text;
        attached->buttons[attached->nbuttons].title = values[1].text;
        attached->nbuttons++;
    }

    return attached->nbuttons > 0 ? NULL : "buttons are none";
}
