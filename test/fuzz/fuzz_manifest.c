/* Any bytes as the answers of moduleinfo and moduleversioninfo: what manifest.h promises. */
#include "fuzz.h"

#include "parse/manifest.h"
#include "parse/resource_hash.h"
#include "parse/url.h"

typedef struct heard {
    unsigned resources, modules;
    bool cordova;
} heard;

static void hear_resource(void *baton, osp_span path, osp_span hash)
{
    heard *all = baton;
    all->resources++;
    PROMISE(osp_resource_hash_is(hash));
    PROMISE(path.n > 1 && path.n <= OSP_MANIFEST_PATH && path.p[0] == '/' && path.p[1] != '/');
    for (size_t i = 0; i < path.n; i++) {
        PROMISE((unsigned char)path.p[i] > ' ' && path.p[i] != '?' && path.p[i] != 0x7f);
    }
    all->cordova |= path.n >= 11 && memcmp(path.p + path.n - 11, "/cordova.js", 11) == 0;
}

static void hear_module(void *baton, osp_span name)
{
    ((heard *)baton)->modules++;
    PROMISE(osp_url_module_is(name));
}

static void promise_token(const char *token, bool may_be_empty)
{
    size_t n = strnlen(token, OSP_VERSION_TOKEN);
    PROMISE(n < OSP_VERSION_TOKEN && (n || may_be_empty));
    for (size_t i = 0; i < n; i++) {
        PROMISE(token[i] > ' ' && token[i] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span body = {(const char *)data, size};
    heard all = {0, 0, false};
    osp_manifest_sink sink = {hear_resource, hear_module, &all};
    osp_manifest out;
    char token[OSP_VERSION_TOKEN];

    bool good = osp_manifest_read(body, &sink, &out);
    PROMISE(good || (!all.resources && !all.modules && !out.malformed && !out.token[0]));
    PROMISE(all.resources == out.resources && out.resources <= OSP_MANIFEST_RESOURCES);
    PROMISE(all.modules == out.modules && out.modules <= OSP_MANIFEST_MODULES);
    PROMISE(all.cordova == out.is_mobile);
    promise_token(out.token, true);

    bool has_token = osp_version_token_read(body, token);
    PROMISE(has_token == (token[0] != '\0'));
    promise_token(token, !has_token);
    return 0;
}
