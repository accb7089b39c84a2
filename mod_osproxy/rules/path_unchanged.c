/*
 * path_unchanged.c: rule path-unchanged: "URL paths of applications must be kept unchanged".
 *
 * mod_proxy sends a path that httpd has decoded, normalised and encoded anew: %7E, //, %2F and more
 * do not survive. Where the mapping keeps the path, this rule puts the bytes of the request line
 * (RFC 9112 section 3.2.1) back in place of mod_proxy's. The back end was chosen, and access rules
 * were applied, by the normalised path; so a path that httpd and IIS would resolve differently is
 * refused: IIS takes %2f, \ and %5c for slashes and resolves the dot segments behind them. Without
 * dots they are read as slashes before httpd applies its access rules.
 */
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"

#include "osproxy.h"
#include "parse/path.h"

/* A written Off stands: it forbids %2F. */
static int note_encoded_slashes(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                server_rec *main_server)
{
    server_rec *s;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    for (s = main_server; s; s = s->next) {
        const char *written = osp_settings_written(s, main_server, "AllowEncodedSlashes");

        osp_server_conf_get(s)->no_encoded_slash = written && strcasecmp(written, "off") == 0;
    }
    return OK;
}

/* The path and query in a URL: what follows the authority. */
static char *path_of(char *url)
{
    char *scheme_end = strchr(url, ':');

    return scheme_end && scheme_end[1] == '/' && scheme_end[2] == '/' ? strchr(scheme_end + 3, '/')
                                                                      : NULL;
}

/* A failover makes another attempt of the same request. */
static void count_once(request_rec *r, enum osp_event event)
{
    if (!osp_request_get(r)->prepared) {
        osp_request_count(r, OSP_RULE_PATH_UNCHANGED, event);
    }
}

static int refuse_dots(request_rec *r, enum osp_mode mode)
{
    OSP_REPORT(r, OSP_RULE_PATH_UNCHANGED, 0,
               "OSP0501: [path-unchanged] dot segments in the path of the request line could "
               "lead around access rules: %s",
               mode == OSP_ENFORCE ? "refused" : "would be refused");
    if (mode == OSP_ENFORCE) {
        return osp_refuse(r, OSP_RULE_PATH_UNCHANGED, HTTP_BAD_REQUEST,
                          "The path of this request contains dot segments.");
    }
    count_once(r, OSP_REPORTED);
    return OK;
}

/* As the back end reads it: a nocanon mapping may write a module's name with %xx. */
static const char *decoded(apr_pool_t *p, const char *path)
{
    char *copy = apr_pstrdup(p, path);

    (void)ap_unescape_url(copy); /* what it objects to it has decoded all the same */
    return copy;
}

/* The mapping sends another path than the client asked for. */
static int judge_change(request_rec *r, enum osp_mode mode, const char *sent)
{
    enum osp_kind asked_kind = osp_request_kind(r);
    enum osp_kind sent_kind = osp_kind_of(r->server, decoded(r->pool, sent));
    int strict = osp_kind_is_strict(asked_kind) || osp_kind_is_strict(sent_kind);

    if (!strict && (asked_kind == OSP_KIND_TRADITIONAL || sent_kind == OSP_KIND_TRADITIONAL)) {
        return OK;
    }
    if (strict) {
        OSP_REPORT(r, OSP_RULE_PATH_UNCHANGED, 1,
                   "OSP0502: [path-unchanged] the mapping turns the path of a Reactive or "
                   "Mobile module into '%s': %s; map the module under its own path", sent,
                   mode == OSP_ENFORCE ? "refused" : "would be refused");
    }
    if (strict && mode == OSP_ENFORCE) {
        return osp_refuse(r, OSP_RULE_PATH_UNCHANGED, HTTP_INTERNAL_SERVER_ERROR,
                          "This proxy is configured to change the path of a Reactive or Mobile "
                          "module, which cannot work. The administrator must map the module under "
                          "its own path.");
    }
    count_once(r, OSP_REPORTED);
    if (!strict) {
        OSP_REPORT(r, OSP_RULE_PATH_UNCHANGED, 2,
                   "OSP0503: [path-unchanged] the mapping turns this path into '%s', which only "
                   "Traditional modules bear; declare them with OSProxyModule <Name> traditional",
                   sent);
    }
    return OK;
}

static void put_back(request_rec *r, enum osp_mode mode, osp_span target, osp_route *way, char *sent)
{
    const char *query = strchr(sent, '?');
    size_t path_length = osp_path_length(target);

    if (mode != OSP_ENFORCE) {
        count_once(r, OSP_REPORTED);
        OSP_REPORT(r, OSP_RULE_PATH_UNCHANGED, 3,
                   "OSP0505: [path-unchanged] the back end receives '%s', not the bytes of the "
                   "request line; they would be sent", sent);
        return;
    }
    if (!query) {
        /* An empty query is a query (RFC 3986 section 6.2.3). */
        query = path_length + 1 == target.n ? "?" : "";
    }
    way->url = apr_psprintf(r->pool, "%.*s%.*s%s", (int)(sent - way->url), way->url,
                            (int)path_length, target.p, query);
    count_once(r, OSP_ACTED);
}

/* The request line that counts: the client's own, before httpd redirected internally. NULL when
 * this request is of httpd's own making: a sub-request or an ErrorDocument. */
static request_rec *asked_for(request_rec *r)
{
    if (r->main) {
        return NULL;
    }
    for (; r->prev; r = r->prev) {
        if (r->prev->status != HTTP_OK) {
            return NULL;
        }
    }
    return r;
}

static int is_sendable(osp_span target)
{
    return !memchr(target.p, '#', target.n) && !*ap_scan_vchar_obstext(target.p);
}

int osp_path_unchanged_route(request_rec *r, osp_request *rec, osp_route *way)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_PATH_UNCHANGED);
    request_rec *asked = mode == OSP_OFF ? NULL : asked_for(r);
    osp_span target, path;
    char *sent = path_of(way->url);
    enum osp_path_dots dots;

    (void)rec;
    if (!asked || !sent || !(target = osp_request_target(asked)).n) {
        return OK;
    }
    if (osp_request_get(asked)->plain_path && strcmp(sent, target.p) == 0) {
        return OK;
    }
    path = (osp_span){target.p, osp_path_length(target)};
    dots = osp_path_dots(path);
    if (dots == OSP_PATH_DOTS_HIDDEN) {
        return refuse_dots(r, mode);
    }
    if (dots == OSP_PATH_DOTS_PLAIN) {
        /* httpd resolved them, and sends what the access rules saw */
        return osp_kind_is_strict(osp_request_kind(r)) ? refuse_dots(r, mode) : OK;
    }
    if (strcmp(sent, target.p) == 0) {
        return OK;
    }
    if (!osp_path_same(path, (osp_span){sent, strcspn(sent, "?")})) {
        return judge_change(r, mode, sent);
    }
    if (osp_request_kind(r) != OSP_KIND_TRADITIONAL && is_sendable(target)) {
        put_back(r, mode, target, way, sent);
    }
    return OK;
}

/* Writes the path with the slashes that IIS sees: a backslash, %5C and, when encoded is set, %2F are
 * slashes. In place: it never grows. Percent-encoding is otherwise left to httpd. */
static void write_slashes(char *path, int encoded)
{
    char *from = path + strcspn(path, "\\%");
    char *to = from;

    for (; *from; from++) {
        if (*from == '%' && ((from[1] == '5' && (from[2] | 0x20) == 'c')
                             || (encoded && from[1] == '2' && (from[2] | 0x20) == 'f'))) {
            from += 2;
            *to++ = '/';
        }
        else {
            *to++ = *from == '\\' ? '/' : *from;
        }
    }
    *to = '\0';
}

/* Before anything looks at the path: <Location "/ServiceCenter"> shall see /ServiceCenter\x too,
 * and httpd, which answers %2F with 404, shall not. Sections are not known yet, so the mode outside
 * of them counts. */
static int read_as_iis(request_rec *r)
{
    char *path = r->parsed_uri.path;

    if (!path || r->main || r->prev
        || osp_server_mode(r->server, OSP_RULE_PATH_UNCHANGED) != OSP_ENFORCE) {
        return DECLINED;
    }
    if (osp_path_is_plain(osp_span_of(path))) {
        osp_request_get(r)->plain_path = 1;
    }
    else {
        write_slashes(path, !osp_server_conf_get(r->server)->no_encoded_slash);
        r->uri = path;
    }
    return DECLINED;
}

void osp_path_unchanged_hooks(apr_pool_t *p)
{
    (void)p;
    /* mod_remoteip and the like do not care for the path; whatever does comes after. */
    ap_hook_post_read_request(read_as_iis, NULL, NULL, APR_HOOK_FIRST);
    /* The tree of directives is there, before and after a reload. */
    ap_hook_check_config(note_encoded_slashes, NULL, NULL, APR_HOOK_MIDDLE);
}
