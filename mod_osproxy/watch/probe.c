/*
 * probe.c: the watcher's HTTP client, over libcurl: one GET at a time, of our own front door or of an
 * app server.
 *
 * A probe of the front door comes in as any other request. It proves to be ours by a secret, and is
 * told which back end it was handed on to (osp_probe_route). Certificates are not verified here: the
 * audit looks at them, and whether a proxy trusts its back ends is its own configuration's matter.
 */
#include "apr_dso.h"
#include "apr_strings.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "watch/watch.h"

#define SECRET "OSProxy-Probe"
#define WAY "OSProxy-Way"
#define CONNECT_SECONDS 3L
#define SECONDS 10L

/* libcurl brings some thirty libraries along: it is loaded when a watcher is set up, so that nobody
 * else, a configtest for one, waits for them. */
#define LIBCURL "libcurl.so.4"

static struct {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_reset)(CURL *curl);
    CURLcode (*easy_setopt)(CURL *curl, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *curl);
    CURLcode (*easy_getinfo)(CURL *curl, CURLINFO info, ...);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
} lib;

static const struct {
    const char *name;
    void *place;
} functions[] = {
    {"curl_global_init", &lib.global_init},   {"curl_easy_init", &lib.easy_init},
    {"curl_easy_reset", &lib.easy_reset},     {"curl_easy_setopt", &lib.easy_setopt},
    {"curl_easy_perform", &lib.easy_perform}, {"curl_easy_getinfo", &lib.easy_getinfo},
    {"curl_slist_append", &lib.slist_append}, {"curl_slist_free_all", &lib.slist_free_all},
};

struct osp_prober {
    CURL *curl;
};

typedef struct fetch {
    apr_pool_t *p;
    osp_answer *answer;
    apr_size_t most;
} fetch;

/* ---- at the front door ------------------------------------------------------------------------- */

/* The port alone decides for everybody else's requests. */
int osp_probe_is(const request_rec *r)
{
    apr_uint32_t port = osp_table
                        ? __atomic_load_n(&osp_table->probe_port, __ATOMIC_RELAXED) : 0;
    const conn_rec *c = r->connection->master ? r->connection->master : r->connection;
    const char *secret;

    if (!port || c->client_addr->port != (apr_port_t)port) {
        return 0;
    }
    secret = apr_table_get(r->headers_in, SECRET);
    return secret && strcmp(secret, osp_table->secret) == 0;
}

int osp_probe_route(request_rec *r, osp_request *rec, osp_route *way)
{
    const char *path;

    (void)rec;
    if (!osp_probe_is(r)) {
        return OK;
    }
    apr_table_unset(r->headers_in, SECRET);
    path = strstr(way->url, "://");
    path = path ? path + 3 + strcspn(path + 3, "/?") : way->url;
    apr_table_setn(r->err_headers_out, WAY,
                   apr_pstrmemdup(r->pool, way->url, (apr_size_t)(path - way->url)));
    return OK;
}

/* ---- the client ---------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *baton)
{
    fetch *f = baton;
    apr_size_t length = size * count;
    apr_size_t kept = OSP_MIN(length, f->most - f->answer->length);

    memcpy(f->answer->body + f->answer->length, data, kept);
    f->answer->length += kept;
    if (kept < length) {
        f->answer->cut = 1;
        return 0; /* enough */
    }
    return length;
}

static const char *value_of(apr_pool_t *p, const char *line, size_t length, const char *name)
{
    size_t n = strlen(name);
    const char *value;

    if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    for (value = line + n + 1, length -= n + 1; length && osp_span_is_blank(*value); length--) {
        value++;
    }
    while (length && osp_span_is_blank(value[length - 1])) {
        length--;
    }
    return apr_pstrmemdup(p, value, OSP_MIN(length, 512));
}

static size_t take_header(char *line, size_t size, size_t count, void *baton)
{
    fetch *f = baton;
    size_t length = size * count;
    const char *value;

    if ((value = value_of(f->p, line, length, WAY)) != NULL) {
        f->answer->way = value;
    }
    else if ((value = value_of(f->p, line, length, "Location")) != NULL) {
        f->answer->location = value;
    }
    else if (value_of(f->p, line, length, "Age")) {
        f->answer->aged = 1;
    }
    else if ((value = value_of(f->p, line, length, "X-Cache")) != NULL
             && strncasecmp(value, "HIT", 3) == 0) {
        f->answer->aged = 1;
    }
    return length;
}

static int go_on(void *baton, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)baton;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return osp_watch_is_stopping();
}

/* By the port of its connection the front door knows a probe, so it is bound before it connects. */
static curl_socket_t open_bound(void *baton, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct sockaddr_storage here;
    socklen_t length = to->family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                              : sizeof(struct sockaddr_in);
    curl_socket_t s = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    apr_uint16_t port;

    (void)baton;
    (void)purpose;
    memset(&here, 0, sizeof here);
    here.ss_family = (sa_family_t)to->family;
    if (s == CURL_SOCKET_BAD || bind(s, (struct sockaddr *)&here, length) != 0
        || getsockname(s, (struct sockaddr *)&here, &length) != 0) {
        return s;
    }
    port = to->family == AF_INET6 ? ((struct sockaddr_in6 *)&here)->sin6_port
                                  : ((struct sockaddr_in *)&here)->sin_port;
    __atomic_store_n(&osp_table->probe_port, ntohs(port), __ATOMIC_RELAXED);
    return s;
}

/* In the process's own pool: a reload must not take the code away from a child's libraries. */
const char *osp_prober_load(apr_pool_t *p)
{
    apr_dso_handle_t *dso;
    apr_dso_handle_sym_t symbol;
    char reason[200];
    unsigned i;

    if (apr_dso_load(&dso, LIBCURL, ap_pglobal) != APR_SUCCESS) {
        return apr_pstrdup(p, apr_dso_error(dso, reason, sizeof reason));
    }
    for (i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (apr_dso_sym(&symbol, dso, functions[i].name) != APR_SUCCESS) {
            return apr_pstrcat(p, LIBCURL " has no ", functions[i].name, NULL);
        }
        memcpy(functions[i].place, &symbol, sizeof symbol);
    }
    return lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NULL : LIBCURL " does not start";
}

osp_prober *osp_prober_make(void)
{
    osp_prober *prober = calloc(1, sizeof *prober);

    if (prober && (prober->curl = lib.easy_init()) == NULL) {
        free(prober);
        prober = NULL;
    }
    return prober;
}

static void set_options(CURL *curl, fetch *f)
{
    lib.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    lib.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    lib.easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    lib.easy_setopt(curl, CURLOPT_PROXY, "");
    lib.easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    lib.easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    lib.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    lib.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    lib.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    lib.easy_setopt(curl, CURLOPT_TIMEOUT, SECONDS);
    lib.easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate"); /* as clients ask */
    lib.easy_setopt(curl, CURLOPT_USERAGENT, "mod_osproxy/" OSP_VERSION);
    lib.easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    lib.easy_setopt(curl, CURLOPT_WRITEDATA, f);
    lib.easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    lib.easy_setopt(curl, CURLOPT_HEADERDATA, f);
    lib.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, go_on);
    lib.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    /* A pin, or a connection that a server is about to close, must not decide what we see. */
    lib.easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
}

/* The URL names the site, for SNI and Host; the connection goes to an address of our choice. */
static const char *target_of(apr_pool_t *p, const char *url, const char *connect, const char *host,
                             const char *path, struct curl_slist **to)
{
    const char *scheme_end = strstr(url, "://");
    const char *authority = scheme_end ? scheme_end + 3 : url;
    const char *scheme = apr_pstrmemdup(p, url, (apr_size_t)(authority - url));

    if (!connect) {
        int has_port = strrchr(authority, ':') > strrchr(authority, ']');

        connect = has_port ? authority
                           : apr_pstrcat(p, authority, strncmp(scheme, "https", 5) == 0 ? ":443" : ":80",
                                         NULL);
    }
    *to = lib.slist_append(NULL, apr_pstrcat(p, "::", connect, NULL));
    return apr_pstrcat(p, scheme, host, path, NULL);
}

void osp_probe(osp_prober *prober, apr_pool_t *p, const char *url, const char *connect,
               const char *host, const char *path, int front, int https, apr_size_t most,
               osp_answer *answer)
{
    CURL *curl = prober->curl;
    fetch f = {p, answer, most};
    struct curl_slist *to, *fields = NULL;
    long status = 0;
    CURLcode code;

    memset(answer, 0, sizeof *answer);
    answer->body = apr_palloc(p, most + 1);
    lib.easy_reset(curl);
    set_options(curl, &f);
    lib.easy_setopt(curl, CURLOPT_URL, target_of(p, url, connect, host, path, &to));
    lib.easy_setopt(curl, CURLOPT_CONNECT_TO, to);
    if (front) {
        fields = lib.slist_append(fields, apr_pstrcat(p, SECRET ": ", osp_table->secret, NULL));
        lib.easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_bound);
    }
    else {
        fields = lib.slist_append(fields, https ? "X-Forwarded-Proto: https"
                                                 : "X-Forwarded-Proto: http");
    }
    lib.easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    code = lib.easy_perform(curl);
    __atomic_store_n(&osp_table->probe_port, 0, __ATOMIC_RELAXED);
    lib.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    answer->status = code == CURLE_OK || code == CURLE_WRITE_ERROR || code == CURLE_PARTIAL_FILE
                     || code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_RECV_ERROR
                         ? (int)status : 0;
    if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR) {
        answer->cut = 1;
    }
    answer->body[answer->length] = '\0';
    lib.slist_free_all(to);
    lib.slist_free_all(fields);
    osp_table->model.probes++;
    osp_table->model.beat = apr_time_sec(apr_time_now());
}
