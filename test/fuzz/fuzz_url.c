/*
 * Three lines, a page's path, its host and a reference: what osp_url_resolve promises. Also that a
 * result is a path of visible ASCII which leads to itself, and that no smaller buffer gives
 * another.
 */
#include "fuzz.h"

#include "parse/url.h"

static osp_span next_line(osp_span *rest)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    osp_span line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t taken = line.n + (end != NULL);
    *rest = (osp_span){taken ? rest->p + taken : rest->p, rest->n - taken};
    return line;
}

static bool is_dots(const char *segment, size_t n)
{
    return (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.');
}

static void promise_path(const char *path)
{
    PROMISE(path[0] == '/' && path[1] != '/' && path[1] != '\\');
    for (const char *c = path; *c; c++) {
        PROMISE(*c > ' ' && *c < 0x7f && *c != '#' && *c != '"');
    }
    while (*path == '/') {
        size_t n = strcspn(++path, "/?");
        PROMISE(!is_dots(path, n));
        path += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[2048], again[2048];
    osp_span rest = {(const char *)data, size};
    osp_span base = next_line(&rest), host = next_line(&rest);

    osp_span module = osp_url_module(base);
    PROMISE(!module.n || osp_url_module_is(module));
    if (!osp_url_resolve(base, host, rest, out, sizeof out)) {
        PROMISE(!out[0]);
        return 0;
    }
    promise_path(out);
    PROMISE(osp_url_resolve(base, host, osp_span_of(out), again, sizeof again));
    PROMISE(strcmp(out, again) == 0);
    PROMISE(!osp_url_resolve(base, host, osp_span_of(out), again, strlen(out)));
    PROMISE(osp_url_resolve(base, host, osp_span_of(out), again, strlen(out) + 1));
    return 0;
}
