/*
 * pin.c: pins, see pin.h: how one is made, found, watched and closed. OSProxyPinLimit bounds them.
 */
#include "apr_strings.h"
#include "httpd.h"
#include "http_connection.h"
#include "http_core.h"

#include "compat.h"
#include "pin.h"

#define DEFAULT_LIMIT 10000
#define MOST_OF_A_CLIENT 32 /* a hop's connection may carry many clients, each with a sign-in */

static apr_uint32_t open_here;

/* The pin that the request under way in this thread goes by. */
static __thread osp_pin *serving;

static const struct {
    const char *name, *title;
} events[OSP_PIN_EVENT_COUNT] = {
    [OSP_PIN_OPENED] = {"opened", "opened"},
    [OSP_PIN_CLOSED_BY_CLIENT] = {"closed_by_client", "closed with the client's connection"},
    [OSP_PIN_CLOSED_BY_BACKEND] = {"closed_by_backend", "closed by the back end"},
    [OSP_PIN_REFUSED] = {"refused", "refused"},
    [OSP_PIN_COMPLETED] = {"handshakes_completed", "sign-ins completed"},
    [OSP_PIN_FAILED] = {"handshakes_failed", "sign-ins failed"},
};

const char *osp_pin_event_name(enum osp_pin_event event)
{
    return events[event].name;
}

const char *osp_pin_event_title(enum osp_pin_event event)
{
    return events[event].title;
}

unsigned osp_pin_open_here(void)
{
    return __atomic_load_n(&open_here, __ATOMIC_RELAXED);
}

unsigned osp_pin_limit(void)
{
    int limit = osp_server_conf_get(ap_server_conf)->pin_limit;

    return (unsigned)(limit ? limit : DEFAULT_LIMIT);
}

/* ---- finding ---------------------------------------------------------------------------------- */

static osp_pin *first_of(const conn_rec *c)
{
    const osp_conn *conn = ap_get_module_config(c->conn_config, &osproxy_module);

    return conn ? conn->pins : NULL;
}

int osp_pin_exists(const request_rec *r)
{
    return first_of(r->connection) != NULL;
}

static const char *uds_of(const request_rec *r, const proxy_worker *worker)
{
    return *worker->s->uds_path ? worker->s->uds_path : apr_table_get(r->notes, "uds_path");
}

/* A websocket is opened on the connection of http: ws is http, wss is https. */
const char *osp_pin_origin(apr_pool_t *p, const request_rec *r, const proxy_worker *worker,
                           const char *url)
{
    static const struct {
        const char *prefix, *scheme;
    } schemes[] = {
        {"http://", "http://"}, {"https://", "https://"}, {"ws://", "http://"}, {"wss://", "https://"},
    };
    size_t i, n;

    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        n = strlen(schemes[i].prefix);
        if (strncasecmp(url, schemes[i].prefix, n) == 0) {
            const char *uds = uds_of(r, worker);
            char *authority = apr_pstrmemdup(p, url + n, strcspn(url + n, "/?"));

            ap_str_tolower(authority);
            return apr_pstrcat(p, schemes[i].scheme, authority, uds ? "|" : NULL, uds, NULL);
        }
    }
    return NULL;
}

osp_pin *osp_pin_find(const request_rec *r, const proxy_balancer *balancer, const char *origin)
{
    osp_pin *pin, *same_server = NULL;

    for (pin = first_of(r->connection); pin; pin = pin->next) {
        if (strcmp(pin->address, r->useragent_ip) != 0) {
            continue;
        }
        if (balancer && pin->balancer == balancer) {
            return pin;
        }
        if (!same_server && origin && strcmp(pin->origin, origin) == 0) {
            same_server = pin;
        }
    }
    return same_server;
}

/* ---- making ----------------------------------------------------------------------------------- */

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
    to->s->response_field_size = from->s->response_field_size;
    to->s->response_field_size_set = from->s->response_field_size_set;
    to->s->flush_packets = from->s->flush_packets;
    to->s->flush_wait = from->s->flush_wait;
    to->s->keepalive = from->s->keepalive;
    to->s->keepalive_set = from->s->keepalive_set;
    apr_cpystrn(to->s->upgrade, from->s->upgrade, sizeof to->s->upgrade);
    apr_cpystrn(to->s->uds_path, from->s->uds_path, sizeof to->s->uds_path);
}

#ifdef OSP_HAS_DNS_POOL
/* The connection goes before the addresses that it uses, whose pool is younger than its own. */
static apr_status_t destroy_connection(void *worker)
{
    proxy_conn_pool *cp = ((proxy_worker *)worker)->cp;

    if (cp && cp->conn) {
        apr_pool_t *pool = cp->conn->pool;

        cp->conn = NULL;
        apr_pool_destroy(pool);
    }
    return APR_SUCCESS;
}

/* mod_proxy would make two more pools, 16 kB of a pin's 56, to be safe from other threads. Here
 * there is one connection and one thread at a time. Only where the structure is the one that we
 * were compiled with; elsewhere mod_proxy makes them. */
static void share_pool(osp_pin *pin)
{
    if (osp_compat_is_same()) {
        pin->own->cp = apr_pcalloc(pin->pool, sizeof *pin->own->cp);
        pin->own->cp->pool = pin->own->cp->dns_pool = pin->pool;
        apr_pool_pre_cleanup_register(pin->pool, pin->own, destroy_connection);
    }
}
#else
static void share_pool(osp_pin *pin)
{
    (void)pin;
}
#endif

static const char *make_worker(osp_pin *pin, server_rec *s)
{
    const char *url = apr_pstrmemdup(pin->pool, pin->origin, strcspn(pin->origin, "|"));
    const char *error = ap_proxy_define_worker(pin->pool, &pin->own, NULL, NULL, url, 0);

    if (error) {
        return error;
    }
    copy_settings(pin->own, pin->real);
    /* No room for a pool of connections: every MPM then keeps the one. */
    pin->own->s->min = pin->own->s->smax = pin->own->s->hmax = 0;
    pin->own->s->disablereuse = 0;
    pin->own->s->is_address_reusable = 1;
    pin->own->s->status |= PROXY_WORKER_INITIALIZED | PROXY_WORKER_IGNORE_ERRORS;
    share_pool(pin);
    return ap_proxy_initialize_worker(pin->own, s, pin->pool) == APR_SUCCESS
           ? NULL : "no connection pool";
}

/* However the pool goes: closed by us, with the client connection, or with the child. */
static apr_status_t pin_gone(void *baton)
{
    const osp_pin *pin = baton;

    __atomic_fetch_sub(&open_here, 1, __ATOMIC_RELAXED);
    osp_count_pins_open(-1);
    osp_count_pin(pin->failed ? OSP_PIN_CLOSED_BY_BACKEND : OSP_PIN_CLOSED_BY_CLIENT);
    return APR_SUCCESS;
}

osp_pin *osp_pin_open(apr_pool_t *parent, request_rec *r, proxy_worker *real,
                      const proxy_balancer *balancer, const char *origin, const char **error)
{
    apr_pool_t *pool;
    osp_pin *pin;

    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "osproxy_pin");
    pin = apr_pcalloc(pool, sizeof *pin);
    pin->pool = pool;
    pin->client = r->connection;
    pin->address = apr_pstrdup(pool, r->useragent_ip);
    pin->origin = apr_pstrdup(pool, origin);
    pin->balancer = balancer;
    pin->real = real;
    *error = make_worker(pin, r->server);
    if (*error) {
        *error = apr_pstrdup(r->pool, *error);
        apr_pool_destroy(pool);
        return NULL;
    }
    __atomic_fetch_add(&open_here, 1, __ATOMIC_RELAXED);
    osp_count_pins_open(1);
    osp_count_pin(OSP_PIN_OPENED);
    apr_pool_cleanup_register(pool, pin, pin_gone, apr_pool_cleanup_null);
    return pin;
}

/* ---- keeping and closing ---------------------------------------------------------------------- */

static void forget(osp_pin *pin)
{
    osp_conn *conn = osp_conn_get(pin->client);
    osp_pin **at;

    for (at = &conn->pins; *at; at = &(*at)->next) {
        if (*at == pin) {
            *at = pin->next;
            conn->pin_count--;
            return;
        }
    }
}

void osp_pin_close(osp_pin *pin, enum osp_pin_event why)
{
    forget(pin);
    pin->failed = why == OSP_PIN_CLOSED_BY_BACKEND;
    apr_pool_destroy(pin->pool);
}

static void close_oldest(const conn_rec *c)
{
    osp_pin *pin, *oldest = NULL;

    for (pin = first_of(c); pin; pin = pin->next) {
        oldest = pin->busy ? oldest : pin;
    }
    if (oldest) {
        osp_pin_close(oldest, OSP_PIN_CLOSED_BY_CLIENT);
    }
}

void osp_pin_keep(osp_pin *pin)
{
    osp_conn *conn = osp_conn_get(pin->client);

    if (conn->pin_count >= MOST_OF_A_CLIENT) {
        close_oldest(pin->client);
    }
    pin->next = conn->pins;
    conn->pins = pin;
    conn->pin_count++;
}

void osp_pin_close_others(const request_rec *r)
{
    osp_pin *pin, *next;

    for (pin = first_of(r->connection); pin; pin = next) {
        next = pin->next;
        if (!pin->busy && !pin->once && strcmp(pin->address, r->useragent_ip) != 0) {
            osp_pin_close(pin, OSP_PIN_CLOSED_BY_CLIENT);
        }
    }
}

/* ---- the connection below --------------------------------------------------------------------- */

int osp_pin_is_alive(osp_pin *pin, server_rec *s)
{
    proxy_conn_rec *conn = pin->own->cp->conn;

    return conn && conn->sock && conn->connection
           && ap_proxy_check_connection("pin", conn, s, 1, PROXY_CHECK_CONN_EMPTY) == APR_SUCCESS;
}

/* The client goes; the back end may have gone before. */
static int close_all(conn_rec *c)
{
    osp_pin *pin;

    while ((pin = first_of(c))) {
        int was_up = c->aborted || osp_pin_is_alive(pin, c->base_server);

        osp_pin_close(pin, was_up ? OSP_PIN_CLOSED_BY_CLIENT : OSP_PIN_CLOSED_BY_BACKEND);
    }
    return OK;
}

static int is_below(apr_pool_t *pool, const apr_pool_t *wanted)
{
    while (pool && pool != wanted) {
        pool = apr_pool_parent_get(pool);
    }
    return pool != NULL;
}

/* mod_proxy has connected anew for a request that goes by a pin; nothing is sent yet. What must not
 * travel on another connection stops here, should the old one have ended since we looked. */
static int new_connection(conn_rec *c, void *csd)
{
    osp_pin *pin = serving;

    (void)csd;
    if (!pin || !is_below(c->pool, pin->pool)) {
        return DECLINED;
    }
    if (pin->sealed) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (pin->connected) {
        osp_count_pin(OSP_PIN_CLOSED_BY_BACKEND);
        osp_count_pin(OSP_PIN_OPENED);
    }
    pin->connected = 1;
    pin->challenged = 0;
    return DECLINED;
}

osp_pin *osp_pin_enter(osp_pin *pin)
{
    osp_pin *before = serving;

    serving = pin;
    return before;
}

void osp_pin_hooks(apr_pool_t *p)
{
    (void)p;
    /* Before mod_ssl and the core take the connection. */
    ap_hook_pre_connection(new_connection, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Before lingering close: the back end's connection shall not live longer than the client's. */
    ap_hook_pre_close_connection(close_all, NULL, NULL, APR_HOOK_MIDDLE);
}
