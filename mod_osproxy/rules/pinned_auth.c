/*
 * pinned_auth.c: rule pinned-auth: Windows authentication (NTLM, Negotiate: RFC 4559) authenticates
 * a connection, not a request. OSProxyPinLimit.
 *
 * A request with such credentials never travels on a connection that others share. The client
 * connection gets a back-end connection of its own, the pin: a private proxy_worker with room for
 * one connection, in a pool of the client connection, so that mod_proxy_http stays the HTTP client
 * and nothing outlives the client. From then on every request of that client connection to the same
 * back end, or balancer, goes by the pin, with credentials or without.
 *
 * route.c calls the step when mod_proxy has chosen: whatever must fail, fails there, where no
 * balancer member is blamed for it. The scheme handler below then swaps the workers.
 */
#include "apr_lib.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_connection.h"
#include "http_core.h"

#include "osproxy.h"
#include "proxy_api.h"

#define DEFAULT_LIMIT 10000

typedef struct osp_pin osp_pin;
struct osp_pin {
    apr_pool_t *pool;              /* holds the private worker and its connection */
    const proxy_balancer *balancer; /* the pin serves this balancer, or, when NULL, ... */
    const char *origin;            /* ... this scheme://authority */
    proxy_worker *real;            /* whose settings and usability count */
    proxy_worker *own;
    const char *client;            /* useragent_ip that signed in */
    osp_pin *next;
};

typedef struct osp_pins {
    osp_pin *first;
} osp_pins;

static apr_uint32_t open_pins; /* in this child */

/* ---- credentials ---------------------------------------------------------------------------- */

static int is_connection_scheme(const char *value)
{
    static const char *const schemes[] = {"NTLM", "Negotiate", "Nego2", "Kerberos"};
    osp_span scheme;
    size_t i;

    value += strspn(value, " \t");
    scheme = (osp_span){value, strcspn(value, " \t,")};
    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (osp_span_eq_nocase(scheme, schemes[i])) {
            return 1;
        }
    }
    return 0;
}

/* Any of them: a back end may look at another line than the first. */
static int has_credentials(const request_rec *r)
{
    const apr_array_header_t *fields;
    int i;

    if (!apr_table_get(r->headers_in, "Authorization")) {
        return 0;
    }
    fields = apr_table_elts(r->headers_in);
    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

        if (strcasecmp(field->key, "Authorization") == 0 && is_connection_scheme(field->val)) {
            return 1;
        }
    }
    return 0;
}

/* ---- pins ------------------------------------------------------------------------------------ */

static conn_rec *client_connection(const request_rec *r)
{
    return r->connection->master ? r->connection->master : r->connection;
}

static osp_pins *pins_of(conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &osproxy_module);
}

static const char *origin_of(apr_pool_t *p, const char *url)
{
    const char *authority = ap_strstr_c(url, "://");

    if (!authority) {
        return NULL;
    }
    return apr_pstrmemdup(p, url, (apr_size_t)(authority + 3 - url) + strcspn(authority + 3, "/"));
}

static apr_status_t pin_closed(void *baton)
{
    (void)baton;
    __atomic_fetch_sub(&open_pins, 1, __ATOMIC_RELAXED);
    return APR_SUCCESS;
}

static void drop(osp_pins *pins, osp_pin *pin)
{
    osp_pin **at = &pins->first;

    while (*at != pin) {
        at = &(*at)->next;
    }
    *at = pin->next;
    apr_pool_destroy(pin->pool);
}

static int close_all(conn_rec *c)
{
    osp_pins *pins = pins_of(c);

    while (pins && pins->first) {
        drop(pins, pins->first);
    }
    return OK;
}

/* A hop in front that sends another client's requests down this connection: what one client
 * authenticated must not serve the other. */
static void drop_foreign(osp_pins *pins, const request_rec *r)
{
    osp_pin *pin, *next;

    for (pin = pins->first; pin; pin = next) {
        next = pin->next;
        if (strcmp(pin->client, r->useragent_ip) != 0) {
            drop(pins, pin);
        }
    }
}

static osp_pin *find(const osp_pins *pins, const proxy_balancer *balancer, const char *origin)
{
    osp_pin *pin;

    for (pin = pins->first; pin; pin = pin->next) {
        if (balancer ? pin->balancer == balancer
                     : !pin->balancer && strcmp(pin->origin, origin) == 0) {
            return pin;
        }
    }
    return NULL;
}

/* Field by field: proxy_worker_shared grows between versions of httpd. */
static void copy_settings(proxy_worker *to, const proxy_worker *from)
{
    to->section_config = from->section_config;
    to->s->timeout = from->s->timeout;
    to->s->timeout_set = from->s->timeout_set;
    to->s->conn_timeout = from->s->conn_timeout;
    to->s->conn_timeout_set = from->s->conn_timeout_set;
    to->s->ping_timeout = from->s->ping_timeout;
    to->s->ping_timeout_set = from->s->ping_timeout_set;
    to->s->recv_buffer_size = from->s->recv_buffer_size;
    to->s->recv_buffer_size_set = from->s->recv_buffer_size_set;
    to->s->io_buffer_size = from->s->io_buffer_size;
    to->s->io_buffer_size_set = from->s->io_buffer_size_set;
    to->s->flush_packets = from->s->flush_packets;
    to->s->flush_wait = from->s->flush_wait;
    to->s->keepalive = from->s->keepalive;
    to->s->keepalive_set = from->s->keepalive_set;
    apr_cpystrn(to->s->upgrade, from->s->upgrade, sizeof to->s->upgrade);
    apr_cpystrn(to->s->uds_path, from->s->uds_path, sizeof to->s->uds_path);
}

static osp_pin *make(conn_rec *c, osp_pins *pins, request_rec *r, proxy_worker *real,
                     const proxy_balancer *balancer, const char *origin)
{
    apr_pool_t *pool;
    osp_pin *pin;
    const char *error;

    apr_pool_create(&pool, c->pool);
    apr_pool_tag(pool, "osproxy_pin");
    pin = apr_pcalloc(pool, sizeof *pin);
    pin->pool = pool;
    pin->balancer = balancer;
    pin->origin = apr_pstrdup(pool, origin);
    pin->real = real;
    pin->client = apr_pstrdup(pool, r->useragent_ip);
    error = ap_proxy_define_worker(pool, &pin->own, NULL, NULL, pin->origin, 0);
    if (!error) {
        copy_settings(pin->own, real);
        /* No room for a pool of connections: every MPM then keeps the one. */
        pin->own->s->min = pin->own->s->smax = pin->own->s->hmax = 0;
        pin->own->s->disablereuse = 0;
        pin->own->s->is_address_reusable = 1;
        pin->own->s->status |= PROXY_WORKER_INITIALIZED | PROXY_WORKER_IGNORE_ERRORS;
        if (ap_proxy_initialize_worker(pin->own, r->server, pool) != APR_SUCCESS) {
            error = "no connection pool";
        }
    }
    if (error) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "OSP0901: [pinned-auth] no private connection to %s: %s", origin, error);
        apr_pool_destroy(pool);
        return NULL;
    }
    __atomic_fetch_add(&open_pins, 1, __ATOMIC_RELAXED);
    apr_pool_cleanup_register(pool, pin, pin_closed, apr_pool_cleanup_null);
    pin->next = pins->first;
    pins->first = pin;
    return pin;
}

/* ---- the request ----------------------------------------------------------------------------- */

/* HTTP/2 streams share a client connection: the client must come back with HTTP/1.1. mod_http2
 * turns this note on a 403 into HTTP_1_1_REQUIRED (RFC 9113 section 7). */
static int send_back_to_http11(request_rec *r)
{
    apr_table_setn(r->notes, "ssl-renegotiate-forbidden", "pinned-auth");
    osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_REFUSED);
    return HTTP_FORBIDDEN;
}

static int can_pin(const char *url)
{
    return strncasecmp(url, "http:", 5) == 0 || strncasecmp(url, "https:", 6) == 0
           || strncasecmp(url, "ws:", 3) == 0 || strncasecmp(url, "wss:", 4) == 0;
}

static int is_usable(const proxy_worker *worker)
{
    return PROXY_WORKER_IS_USABLE(worker) && !PROXY_WORKER_IS_DRAINING(worker);
}

static osp_pins *pins_made(conn_rec *c)
{
    osp_pins *pins = pins_of(c);

    if (!pins) {
        pins = apr_pcalloc(c->pool, sizeof *pins);
        ap_set_module_config(c->conn_config, &osproxy_module, pins);
    }
    return pins;
}

static int start(request_rec *r, osp_request *rec, osp_route *way, const char *origin)
{
    conn_rec *c = client_connection(r);
    int limit = osp_server_conf_get(ap_server_conf)->pin_limit;

    if (!can_pin(way->url)) {
        return osp_refuse(r, OSP_RULE_PINNED_AUTH, HTTP_BAD_GATEWAY,
                          "Windows authentication cannot be carried to this back end.");
    }
    if (__atomic_load_n(&open_pins, __ATOMIC_RELAXED)
        >= (apr_uint32_t)(limit ? limit : DEFAULT_LIMIT)) {
        OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 1,
                   "OSP0902: [pinned-auth] %u clients of this child are signed in, as many as "
                   "OSProxyPinLimit allows: refused", open_pins);
        return osp_refuse(r, OSP_RULE_PINNED_AUTH, HTTP_SERVICE_UNAVAILABLE,
                          "Too many clients are signed in. Please try again in a minute.");
    }
    rec->pin = make(c, pins_made(c), r, way->worker, way->balancer, origin);
    if (!rec->pin) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_ACTED);
    return OK;
}

int osp_pinned_auth_route(request_rec *r, osp_request *rec, osp_route *way)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_PINNED_AUTH);
    conn_rec *c = client_connection(r);
    osp_pins *pins = pins_of(c);
    int credentials;
    const char *origin;
    osp_pin *pin;

    rec->pin = NULL;
    if (mode == OSP_OFF) {
        return OK;
    }
    credentials = has_credentials(r);
    if (mode == OSP_REPORT) {
        if (credentials) {
            osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_REPORTED);
            OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 3,
                       "OSP0904: [pinned-auth] a client signs in over a back-end connection that "
                       "others share; it would get one of its own");
        }
        return OK;
    }
    if (!credentials && (!pins || !pins->first)) {
        return OK;
    }
    if (r->connection->master) {
        return credentials ? send_back_to_http11(r) : OK;
    }
    if (pins) {
        drop_foreign(pins, r);
    }
    origin = origin_of(r->pool, way->url);
    pin = pins && origin ? find(pins, way->balancer, origin) : NULL;
    if (!pin) {
        return credentials ? start(r, rec, way, origin) : OK;
    }
    if (!is_usable(pin->real)) {
        drop(pins, pin);
        OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 2,
                   "OSP0903: [pinned-auth] the server a client had signed in to is gone or drained: "
                   "the client has to sign in again");
        return osp_refuse(r, OSP_RULE_PINNED_AUTH, HTTP_SERVICE_UNAVAILABLE,
                          "The server you were signed in to is not available. Please try again.");
    }
    rec->pin = pin;
    return OK;
}

/* The URL for the pin's server instead of that of the member elected this time. */
static char *url_for(request_rec *r, const osp_pin *pin, const proxy_worker *elected, char *url)
{
    apr_size_t n;

    if (!pin->balancer || elected == pin->real) {
        return url;
    }
    n = strlen(elected->s->name);
    return strncmp(url, elected->s->name, n) == 0
           ? apr_pstrcat(r->pool, pin->real->s->name, url + n, NULL)
           : apr_pstrcat(r->pool, pin->origin, url + strlen(origin_of(r->pool, url)), NULL);
}

static int handle(request_rec *r, proxy_worker *worker, proxy_server_conf *conf, char *url,
                  const char *proxyname, apr_port_t proxyport)
{
    osp_request *rec = osp_request_get(r);
    osp_pin *pin = rec->pin;
    int status;

    if (!pin) {
        return DECLINED;
    }
    rec->pin = NULL; /* the run from inside */
    apr_table_unset(r->subprocess_env, "proxy-nokeepalive");
    apr_table_unset(r->subprocess_env, "force-proxy-request-1.0");
    apr_table_setn(r->notes, "OSPROXY_PIN", "pinned");
    status = proxy_run_scheme_handler(r, pin->own, conf, url_for(r, pin, worker, url), proxyname,
                                      proxyport);
    pin->real->s->transferred += pin->own->s->transferred;
    pin->real->s->read += pin->own->s->read;
    pin->own->s->transferred = pin->own->s->read = 0;
    if (status == HTTP_SERVICE_UNAVAILABLE || status == HTTP_BAD_GATEWAY) {
        drop(pins_of(client_connection(r)), pin); /* the client starts over */
    }
    /* 503 would blame, and take out, the member that was elected but not asked. */
    return status == HTTP_SERVICE_UNAVAILABLE ? HTTP_BAD_GATEWAY : status;
}

void osp_pinned_auth_hooks(apr_pool_t *p)
{
    /* mod_proxy_http answers at APR_HOOK_FIRST. */
    static const char *const after[] = {"mod_proxy_http.c", "mod_proxy_wstunnel.c", NULL};

    (void)p;
    proxy_hook_scheme_handler(handle, NULL, after, APR_HOOK_REALLY_FIRST);
    /* Before lingering close: the back end's connection shall not live longer than the client's. */
    ap_hook_pre_close_connection(close_all, NULL, NULL, APR_HOOK_MIDDLE);
}
