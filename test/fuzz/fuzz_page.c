/*
 * Any bytes as what the watchers know: the input is laid over the model's tables, in a stride that
 * the first bytes choose, then text is ended as the model promises. HTML, JSON and metrics are
 * rendered; none may hold a control character, what is HTML of foreign text may open no tag, the
 * JSON must end as it began.
 */
#include "fuzz.h"

#include "../unit/view.h"

#define END(field) ((field)[sizeof(field) - 1] = '\0')

static const char config[] =
    "Listen 443\nOSProxyEngine On\n<VirtualHost *:443>\nServerName \"<b>\"\n"
    "ProxyErrorOverride On\nProxyPass / http://app/\n</VirtualHost>\n";

/* What model.h promises of text, places and times. */
static void make_sound(osp_model *model)
{
    int i;

    for (i = 0; i < OSP_MODEL_SITES; i++) {
        END(model->sites[i].name);
    }
    for (i = 0; i < OSP_MODEL_MODULES; i++) {
        osp_watched *module = &model->modules[i];

        END(module->name);
        END(module->example);
        END(module->to);
        END(module->token);
    }
    for (i = 0; i < OSP_MODEL_REFERENCES; i++) {
        END(model->references[i].path);
        model->references[i].how %= OSP_BY_REFERER + 1;
    }
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        END(model->apps[i].url);
    }
    for (i = 0; i < OSP_MODEL_VERSIONS; i++) {
        END(model->versions[i].token);
        model->versions[i].since %= (int64_t)1 << 40;
    }
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        END(model->faults[i].path);
        model->faults[i].app %= OSP_MODEL_APPS + 1;
        model->faults[i].cause %= OSP_CAUSE_COUNT;
    }
}

/* Bytes of the input, again and again, over `count` elements of `size` bytes; others stay zero. */
static void lay(void *table, size_t size, size_t count, const uint8_t *data, size_t length,
                size_t at)
{
    unsigned char *to = table;
    size_t i;

    for (i = 0; i < size * count; i++) {
        to[i] = data[(at + i) % length];
    }
}

static void fill(osp_model *model, const uint8_t *data, size_t size)
{
    size_t few = 1 + data[0] % 24;

    lay(model->sites, sizeof *model->sites, 1 + data[1] % 3, data, size, 2);
    lay(model->modules, sizeof *model->modules, few, data, size, 3);
    lay(model->references, sizeof *model->references, 2 * few, data, size, 5);
    lay(model->apps, sizeof *model->apps, 1 + data[1] % 5, data, size, 7);
    lay(model->versions, sizeof *model->versions, few, data, size, 11);
    lay(model->faults, sizeof *model->faults, few, data, size, 13);
    model->module_count = data[2] & 1 ? (uint32_t)few : UINT32_MAX;
    model->reference_count = data[2] & 2 ? 2 * (uint32_t)few : UINT32_MAX;
    model->version_count = data[2] & 4 ? (uint32_t)few : UINT32_MAX;
    model->began = (int64_t)data[1] << 30;
    make_sound(model);
    if (data[2] & 8) {
        size_t i;

        for (i = 0; i < few; i++) { /* sound places, so that more is shown */
            model->modules[i].site = 0;
            model->references[i].from = (uint16_t)(i % few);
            model->references[i].to = (uint16_t)((i + 1) % few);
            model->versions[i].app = 0;
            model->versions[i].module = (uint16_t)(i % 2);
            model->faults[i].module = (uint16_t)i;
        }
        model->sites[0].key = model->sites[0].present = 1;
        model->apps[0].site = 0;
    }
}

static void check(const char *text, bool is_html)
{
    static const char *const tags =
        " !DOCTYPE html head meta title style script body main h1 h2 h3 p "
        "nav a ul li table caption thead tbody tr th td span small b code "
        "pre details summary div figure svg path figcaption time hr br form button noscript ";
    size_t length;

    for (; *text; text += length) {
        length = osp_text_utf8(text);
        PROMISE(length);
        PROMISE((unsigned char)*text >= 0x20 || *text == '\n');
        if (is_html && *text == '<') {
            char name[16] = " ";
            size_t end = strcspn(text + 1 + (text[1] == '/'), " >");

            PROMISE(end && end < 12);
            memcpy(name + 1, text + 1 + (text[1] == '/'), end);
            name[end + 1] = ' ';
            PROMISE(strstr(tags, name));
        }
    }
}

/* Brackets outside of strings are in pairs, and strings end. */
static void check_json(const char *c)
{
    int depth = 0;

    for (; *c; c++) {
        if (*c == '"') {
            for (c++; *c != '"'; c++) {
                PROMISE(*c && (unsigned char)*c >= 0x20);
                c += *c == '\\';
            }
        }
        depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
        PROMISE(depth >= 0);
    }
    PROMISE(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    test_view t;
    const char *json;

    if (size < 4 || size > 4096) {
        return 0;
    }
    test_view_begin(&t, config);
    t.model = osp_take(&t.arena.memory, sizeof *t.model);
    fill(t.model, data, size);
    t.view.model = t.model;
    check(test_view_render(&t, osp_page_html), true);
    json = test_view_render(&t, osp_page_json);
    check(json, false);
    check_json(json);
    check(test_view_render(&t, osp_page_metrics), false);
    test_view_end(&t);
    return 0;
}
