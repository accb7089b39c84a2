/* Manifests of modules, see manifest.h: jansson parses, its limit of 2048 levels holds. */
#include "manifest.h"

#include <jansson.h>

#include "resource_hash.h"
#include "url.h"

enum { VERSION_BYTES = 64 * 1024 };

static osp_span string_of(const json_t *value)
{
    return (osp_span){json_string_value(value), json_string_length(value)};
}

/* Whether jansson's tree of this text stays small: an empty object of two bytes takes 200. */
static bool is_modest(osp_span text)
{
    unsigned values = 0, objects = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted && c == '\\') {
            i++;
        }
        else if (c == '"') {
            quoted = !quoted;
        }
        else if (!quoted) {
            values += c == ',' || c == ':';
            objects += c == '{' || c == '[';
        }
    }
    return values <= OSP_MANIFEST_VALUES && objects <= OSP_MANIFEST_OBJECTS;
}

/* The JSON object of a body, to be given back with json_decref; NULL when there is none. */
static json_t *load(osp_span body, size_t limit, bool *cut)
{
    const char *start = body.n ? memchr(body.p, '{', body.n) : NULL;
    json_error_t error;
    if (!start) {
        return NULL;
    }
    osp_span text = {start, body.n - (size_t)(start - body.p)};
    *cut = body.n > limit || !is_modest(text);
    return *cut ? NULL : json_loadb(text.p, text.n, JSON_ALLOW_NUL, &error);
}

static bool copy_token(const json_t *value, char token[OSP_VERSION_TOKEN])
{
    osp_span text = string_of(value);
    size_t i = 0;
    while (i < text.n && i < OSP_VERSION_TOKEN - 1 && text.p[i] > ' ' && text.p[i] < 0x7f) {
        token[i] = text.p[i];
        i++;
    }
    token[i == text.n ? i : 0] = '\0';
    return token[0];
}

/* Whether a key of urlVersions is an absolute path. */
static bool is_path(osp_span path)
{
    size_t i = 0;
    while (i < path.n && (unsigned char)path.p[i] > ' ' && path.p[i] != 0x7f
           && !strchr("?#\\", path.p[i])) {
        i++;
    }
    return i == path.n && i > 1 && i <= OSP_MANIFEST_PATH && path.p[0] == '/' && path.p[1] != '/';
}

static bool is_cordova(osp_span path)
{
    static const char name[] = "/cordova.js";
    size_t n = sizeof name - 1;
    return path.n >= n && memcmp(path.p + path.n - n, name, n) == 0;
}

static void read_resource(osp_span path, const json_t *value, const osp_manifest_sink *sink,
                          osp_manifest *out)
{
    osp_span hash = string_of(value);
    bool good = is_path(path) && hash.n && hash.p[0] == '?';
    if (good) {
        hash.p++;
        hash.n--;
    }
    if (!good || !osp_resource_hash_is(hash)) {
        out->malformed++;
        return;
    }
    if (out->resources == OSP_MANIFEST_RESOURCES) {
        out->cut = true;
        return;
    }
    out->resources++;
    out->is_mobile = out->is_mobile || is_cordova(path);
    if (sink->resource) {
        sink->resource(sink->baton, path, hash);
    }
}

static void read_module(const json_t *value, const osp_manifest_sink *sink, osp_manifest *out)
{
    osp_span name = string_of(json_object_get(value, "moduleName"));
    if (!osp_url_module_is(name)) {
        out->malformed++;
        return;
    }
    if (out->modules == OSP_MANIFEST_MODULES) {
        out->cut = true;
        return;
    }
    out->modules++;
    if (sink->module) {
        sink->module(sink->baton, name);
    }
}

bool osp_manifest_read(osp_span body, const osp_manifest_sink *sink, osp_manifest *out)
{
    *out = (osp_manifest){.token = ""};
    json_t *root = load(body, OSP_MANIFEST_BYTES, &out->cut);
    json_t *manifest = json_object_get(root, "manifest");
    bool found = json_is_object(manifest);

    if (found) {
        json_t *resources = json_object_get(manifest, "urlVersions");
        json_t *modules = json_object_get(json_object_get(root, "data"), "modules");
        copy_token(json_object_get(manifest, "versionToken"), out->token);
        for (void *i = json_object_iter(resources); i; i = json_object_iter_next(resources, i)) {
            read_resource(osp_span_of(json_object_iter_key(i)), json_object_iter_value(i), sink,
                          out);
        }
        for (void *i = json_object_iter(modules); i; i = json_object_iter_next(modules, i)) {
            read_module(json_object_iter_value(i), sink, out);
        }
    }
    json_decref(root);
    return found;
}

bool osp_version_token_read(osp_span body, char token[OSP_VERSION_TOKEN])
{
    bool cut = false;
    json_t *root = load(body, VERSION_BYTES, &cut);
    bool found = copy_token(json_object_get(root, "versionToken"), token);
    json_decref(root);
    return found;
}
