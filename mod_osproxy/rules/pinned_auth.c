/*
 * pinned_auth.c: rule pinned-auth: Windows authentication (NTLM, Negotiate: RFC 4559) authenticates
 * a connection, not a request. OSProxyHop says which clients share one. pin.c keeps the pins.
 *
 * A request with such credentials never travels on a connection that others use. The client
 * connection gets a back-end connection of its own, the pin, and from then on every request of that
 * client to the same server, or balancer, goes by it, with credentials or without: the back end
 * knows the connection by its user. What answers a challenge goes by the connection that the
 * challenge came by, or nowhere: the client then starts over.
 *
 * route.c calls two steps when mod_proxy has chosen: the first keeps a client with the server it is
 * signed in to, whatever the balancer elected; the last makes the pin, or refuses where no balancer
 * member is blamed for it. The scheme handler then lends the request the pin's private worker.
 */
#include "apr_lib.h"
#include "apr_optional.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_connection.h"
#include "http_core.h"
#include "util_filter.h"

#include "compat.h"
#include "osproxy.h"
#include "parse/challenge.h"
#include "pin.h"
#include "proxy_api.h"

static APR_OPTIONAL_FN_TYPE(ap_proxy_retry_worker) *retry_worker;
static ap_conf_vector_t *no_override; /* holds ProxyErrorOverride Off and nothing else, or NULL */
static ap_filter_rec_t *h2_filter, *no_body;

/* ---- what the request brings ------------------------------------------------------------------ */

static const char *canonical(osp_span scheme)
{
    static const char *const names[] = {"NTLM", "Negotiate", "Nego2", "Kerberos"};
    size_t n;

    for (n = 0; n < sizeof names / sizeof names[0]; n++) {
        if (osp_span_eq_nocase(scheme, names[n])) {
            return names[n];
        }
    }
    return NULL;
}

/* The most demanding of all lines: a back end may look at another one than the first. */
static void read_credentials(const request_rec *r, osp_request *rec)
{
    const apr_array_header_t *fields;
    int i;

    rec->credentials = OSP_CREDENTIALS_NONE;
    if (!apr_table_get(r->headers_in, "Authorization")) {
        return;
    }
    fields = apr_table_elts(r->headers_in);
    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        osp_credentials found;

        if (strcasecmp(field->key, "Authorization") != 0) {
            continue;
        }
        found = osp_credentials_read(osp_span_of(field->val));
        if (found.kind > rec->credentials) {
            rec->credentials = found.kind;
            rec->auth_scheme = canonical(found.scheme);
        }
    }
}

/* Whether the connection that the request came by may carry other clients too: a hop that tells its
 * clients' addresses in a header does as it pleases. */
static enum osp_hop hop_of(const request_rec *r)
{
    const apr_array_header_t *hops = osp_server_conf_get(r->server)->hops;
    int i;

    for (i = 0; hops && i < hops->nelts; i++) {
        const osp_hop_rule *rule = &APR_ARRAY_IDX(hops, i, osp_hop_rule);

        if (apr_ipsubnet_test(rule->network, r->connection->client_addr)) {
            return rule->hop;
        }
    }
    return osp_request_via_trusted_hop(r) ? OSP_HOP_SHARED : OSP_HOP_DEDICATED;
}

/* ---- the server that a client is signed in to -------------------------------------------------- */

/* A drained server finishes a handshake, and begins none. */
static int may_serve(proxy_worker *worker, server_rec *s, enum osp_credentials_kind credentials)
{
    if (!PROXY_WORKER_IS_USABLE(worker) && retry_worker) {
        retry_worker("pin", worker, s);
    }
    return PROXY_WORKER_IS_USABLE(worker)
           && (!PROXY_WORKER_IS_DRAINING(worker) || credentials == OSP_CREDENTIALS_ANSWER);
}

typedef struct election {
    proxy_worker *elected, *real;
} election;

/* Runs before the balancer's own cleanup takes one from the elected member. */
static apr_status_t give_back(void *baton)
{
    const election *e = baton;

    e->elected->s->busy++;
    if (e->real->s->busy) {
        e->real->s->busy--;
    }
    return APR_SUCCESS;
}

/* Makes it look as if the balancer had elected the pin's server: URL, counters, environment. */
static void elect(request_rec *r, osp_route *way, proxy_worker *real)
{
    election *e = apr_pcalloc(r->pool, sizeof *e);
    const char *name = osp_worker_name(way->worker), *rest;

    e->elected = way->worker;
    e->real = real;
    if (strncmp(way->url, name, strlen(name)) == 0) {
        rest = way->url + strlen(name);
        way->url = apr_pstrcat(r->pool, osp_worker_name(real), rest, NULL);
    }
    else {
        const char *own = ap_strstr_c(osp_worker_name(real), "://") + 3;

        rest = ap_strstr_c(way->url, "://");
        rest = rest ? rest + 3 + strcspn(rest + 3, "/") : "/";
        way->url = apr_psprintf(r->pool, "%.*s%s", (int)(own - osp_worker_name(real) + strcspn(own, "/")),
                                osp_worker_name(real), rest);
    }
    r->filename = apr_pstrcat(r->pool, "proxy:", way->url, NULL);
    apr_table_setn(r->subprocess_env, "BALANCER_WORKER_NAME", osp_worker_name(real));
    apr_table_setn(r->subprocess_env, "BALANCER_WORKER_ROUTE", real->s->route);
    if (e->elected->s->elected) {
        e->elected->s->elected--;
    }
    real->s->elected++;
    if (e->elected->s->busy) {
        e->elected->s->busy--;
    }
    real->s->busy++;
    apr_pool_cleanup_register(r->pool, e, give_back, apr_pool_cleanup_null);
    way->worker = real;
}

int osp_pinned_auth_member(request_rec *r, osp_request *rec, osp_route *way)
{
    const char *origin;
    osp_pin *pin = rec->pin;

    rec->pin = NULL;
    if (pin && rec->pin_failed && !pin->busy) {
        osp_pin_close(pin, OSP_PIN_CLOSED_BY_BACKEND); /* mod_proxy tries another member now */
        rec->pin_lost = 1;
    }
    rec->pin_failed = 0;
    if (!osp_pin_exists(r) || osp_request_mode(r, OSP_RULE_PINNED_AUTH) != OSP_ENFORCE) {
        return OK;
    }
    read_credentials(r, rec);
    osp_pin_close_others(r);
    origin = osp_pin_origin(r->pool, r, way->worker, way->url);
    pin = osp_pin_find(r, way->balancer, origin);
    if (!pin || (pin->once && !rec->credentials)) {
        return OK;
    }
    if (way->balancer && pin->balancer == way->balancer
        && !(origin && strcmp(pin->origin, origin) == 0)) {
        if (may_serve(pin->real, r->server, rec->credentials)) {
            elect(r, way, pin->real);
        }
        else if (!pin->busy) {
            osp_pin_close(pin, OSP_PIN_CLOSED_BY_BACKEND);
            rec->pin_lost = 1;
            return OK;
        }
    }
    rec->pin = pin;
    return OK;
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------------- */

typedef struct tally {
    unsigned binding;    /* challenges for the connection */
    unsigned with_token; /* of these, such as go on with the handshake under way */
    unsigned other;
} tally;

static void count_challenges(const apr_table_t *headers, tally *count)
{
    const apr_array_header_t *fields = apr_table_elts(headers);
    int i;

    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        osp_challenge_iter it;
        osp_challenge challenge;

        if (strcasecmp(field->key, "WWW-Authenticate") != 0) {
            continue;
        }
        it = osp_challenge_begin(osp_span_of(field->val));
        while (osp_challenge_next(&it, &challenge)) {
            int binds = osp_credentials_bind(challenge.scheme);

            count->binding += binds;
            count->other += !binds;
            count->with_token += binds && challenge.rest.n;
        }
    }
}

/* HTTP/2 streams share a client connection: the client must come back with HTTP/1.1. mod_http2
 * turns this note on a 403 into HTTP_1_1_REQUIRED (RFC 9113 section 7). */
static int send_back_to_http11(request_rec *r)
{
    apr_table_setn(r->notes, "ssl-renegotiate-forbidden", "pinned-auth");
    return HTTP_FORBIDDEN;
}

/* The answer may be a back end's own, or a page that httpd shows instead. */
static int is_of_backend(request_rec *r)
{
    for (; r; r = r->prev) {
        if (osp_request_get(r)->proxied) {
            return 1;
        }
    }
    return 0;
}

/* A 401 that nobody can answer over HTTP/2 says so at once, as IIS does: curl, for one, keeps trying
 * otherwise. With another scheme beside them the client has the choice. */
static apr_status_t filter_h2(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    ap_filter_t *next = f->next;

    ap_remove_output_filter(f);
    if (r->status == HTTP_UNAUTHORIZED && is_of_backend(r)) {
        tally count = {0, 0, 0};

        count_challenges(r->headers_out, &count);
        count_challenges(r->err_headers_out, &count);
        if (count.binding && !count.other) {
            r->status = send_back_to_http11(r);
            r->status_line = NULL;
            osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_ACTED);
        }
    }
    return ap_pass_brigade(next, brigade);
}

/* Behind negotiate's filter: what is not offered needs no other connection. */
static void insert_h2(request_rec *r)
{
    if (r->connection->master && osp_request_mode(r, OSP_RULE_PINNED_AUTH) == OSP_ENFORCE) {
        ap_add_output_filter_handle(h2_filter, NULL, r, r->connection);
    }
}

/* ---- the connection that a request goes by ------------------------------------------------------ */

static int refuse(request_rec *r, int status, const char *text)
{
    osp_count_pin(OSP_PIN_REFUSED);
    return osp_refuse(r, OSP_RULE_PINNED_AUTH, status, text);
}

static int refuse_interrupted(request_rec *r)
{
    osp_count_pin(OSP_PIN_FAILED);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "OSP0903: [pinned-auth] the connection on which a client was signing in is gone: "
                  "the client has to start over");
    return osp_refuse(r, OSP_RULE_PINNED_AUTH, HTTP_SERVICE_UNAVAILABLE,
                      "The server ended the connection while you were signing in. Please try again.");
}

static int refuse_shared_hop(request_rec *r)
{
    OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 2,
               "OSP0907: [pinned-auth] credentials from %s refused: OSProxyHop does not let clients "
               "sign in through it", r->connection->client_ip);
    return refuse(r, HTTP_FORBIDDEN, "Windows authentication is not available on this way.");
}

static int refuse_unpinnable(request_rec *r, const char *url)
{
    OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 4,
               "OSP0906: [pinned-auth] credentials for %.*s refused: only http, https, ws and wss "
               "give a client a connection of its own", (int)strcspn(url, "/"), url);
    return refuse(r, HTTP_BAD_GATEWAY, "Windows authentication cannot be carried to this back end.");
}

/* Protocols that know no user of a connection: credentials are the request's. */
static int is_per_request(const char *url)
{
    return strncasecmp(url, "fcgi:", 5) == 0 || strncasecmp(url, "scgi:", 5) == 0
           || strncasecmp(url, "uwsgi:", 6) == 0;
}

/* Set by hand, by the balancer manager, or for a member that is going. */
static int is_switched_off(const proxy_worker *worker)
{
    return (worker->s->status & (PROXY_WORKER_NOT_USABLE_BITMAP & ~PROXY_WORKER_IN_ERROR)) != 0;
}

static int start(request_rec *r, osp_request *rec, const osp_route *way, const char *origin)
{
    const char *error;
    osp_pin *pin;

    if (osp_pin_open_here() >= osp_pin_limit()) {
        OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 1,
                   "OSP0902: [pinned-auth] %u clients of this child are signed in, as many as "
                   "OSProxyPinLimit allows: refused", osp_pin_open_here());
        return refuse(r, HTTP_SERVICE_UNAVAILABLE,
                      "Too many clients are signed in. Please try again in a minute.");
    }
    pin = osp_pin_open(r->connection->pool, r, way->worker, way->balancer, origin, &error);
    if (!pin) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "OSP0901: [pinned-auth] no private connection to %s: %s", origin, error);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (hop_of(r) == OSP_HOP_SHARED) {
        pin->once = 1;
        OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 5,
                   "OSP0905: [pinned-auth] clients behind %s sign in for each request, because it "
                   "may send several clients down one connection; if it does not, write OSProxyHop "
                   "dedicated %s", r->connection->client_ip, r->connection->client_ip);
    }
    osp_pin_keep(pin);
    rec->pin = pin;
    osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_ACTED);
    apr_table_setn(r->notes, "OSPROXY_PIN", "new");
    return OK;
}

/* Whether the request may go by rec->pin, which may be NULL; makes one when it needs one. */
static int pin_down(request_rec *r, osp_request *rec, osp_route *way)
{
    const char *origin = osp_pin_origin(r->pool, r, way->worker, way->url);
    osp_pin *pin = rec->pin;

    if (!origin) {
        return is_per_request(way->url) ? OK : refuse_unpinnable(r, way->url);
    }
    rec->pin_needed = 1;
    if (rec->credentials && hop_of(r) == OSP_HOP_REFUSED) {
        return refuse_shared_hop(r);
    }
    if (is_switched_off(way->worker)) {
        return refuse(r, HTTP_SERVICE_UNAVAILABLE, "This server is not available.");
    }
    if (rec->credentials == OSP_CREDENTIALS_ANSWER
        && !(pin && !pin->busy && pin->challenged && osp_pin_is_alive(pin, r->server))) {
        return refuse_interrupted(r);
    }
    if (!pin) {
        return start(r, rec, way, origin);
    }
    apr_table_setn(r->notes, "OSPROXY_PIN", "reused");
    return OK;
}

static void report(request_rec *r)
{
    osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_REPORTED);
    OSP_REPORT(r, OSP_RULE_PINNED_AUTH, 3,
               "OSP0904: [pinned-auth] a client signs in over a back-end connection that others "
               "share; it would get one of its own");
}

int osp_pinned_auth_route(request_rec *r, osp_request *rec, osp_route *way)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_PINNED_AUTH);

    rec->pin_needed = 0;
    if (mode == OSP_OFF) {
        return OK;
    }
    if (!rec->prepared) {
        insert_h2(r);
    }
    read_credentials(r, rec);
    if (!rec->credentials && !rec->pin && !rec->pin_lost) {
        return OK;
    }
    if (mode == OSP_REPORT) {
        report(r);
        return OK;
    }
    if (rec->credentials && r->connection->master) {
        osp_request_count(r, OSP_RULE_PINNED_AUTH, OSP_REFUSED);
        return send_back_to_http11(r);
    }
    return pin_down(r, rec, way);
}

/* ---- carrying the request ----------------------------------------------------------------------- */

static int goes_on(const apr_table_t *headers)
{
    tally count = {0, 0, 0};

    count_challenges(headers, &count);
    return count.with_token > 0;
}

/* What the answer to a request with credentials means for the handshake. */
static void judge(osp_pin *pin, const request_rec *r, enum osp_credentials_kind credentials,
                  int status)
{
    int answer = status == OK ? r->status : status;

    if (!credentials) {
        return;
    }
    pin->challenged = answer == HTTP_UNAUTHORIZED && goes_on(r->headers_out);
    if (pin->challenged) {
        return;
    }
    if (answer == HTTP_UNAUTHORIZED || (status != OK && answer >= HTTP_INTERNAL_SERVER_ERROR)) {
        osp_count_pin(OSP_PIN_FAILED);
    }
    else {
        osp_count_pin(OSP_PIN_COMPLETED);
    }
}

/* mod_proxy closes the connection of a sub-request, unless a body was kept for it: an empty one. */
static void keep_for_subrequest(request_rec *r)
{
    if (r->main && !r->kept_body) {
        r->kept_body = apr_brigade_create(r->pool, r->connection->bucket_alloc);
        ap_add_input_filter_handle(no_body, NULL, r, r->connection);
    }
}

static apr_status_t read_no_body(ap_filter_t *f, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                                 apr_read_type_e block, apr_off_t bytes)
{
    (void)mode;
    (void)block;
    (void)bytes;
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(f->c->bucket_alloc));
    return APR_SUCCESS;
}

/* mod_proxy closes the connection when it shows a page of httpd's own instead of an answer: not for
 * the challenge in the middle of a handshake, whose body nobody sees. */
static void show_challenge(request_rec *r, const osp_request *rec)
{
    if (no_override && rec->credentials == OSP_CREDENTIALS_FIRST) {
        r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, no_override);
    }
}

static int run(request_rec *r, osp_pin *pin, proxy_server_conf *conf, char *url,
               const char *proxyname, apr_port_t proxyport)
{
    osp_request *rec = osp_request_get(r);
    ap_conf_vector_t *sections = r->per_dir_config;
    osp_pin *outer;
    int status;

    apr_table_unset(r->subprocess_env, "proxy-nokeepalive");
    apr_table_unset(r->subprocess_env, "force-proxy-request-1.0");
    if (rec->credentials) {
        pin->scheme = rec->auth_scheme;
    }
    if (pin->scheme) {
        apr_table_setn(r->notes, "OSPROXY_SCHEME", pin->scheme);
    }
    pin->sealed = rec->credentials == OSP_CREDENTIALS_ANSWER;
    pin->busy = 1;
    rec->carried = 1;
    keep_for_subrequest(r);
    show_challenge(r, rec);
    outer = osp_pin_enter(pin);
    status = proxy_run_scheme_handler(r, pin->own, conf, url, proxyname, proxyport);
    osp_pin_enter(outer);
    r->per_dir_config = sections;
    rec->carried = 0;
    rec->pin_failed = status == HTTP_SERVICE_UNAVAILABLE;
    pin->busy = pin->sealed = 0;
    pin->real->s->transferred += pin->own->s->transferred;
    pin->real->s->read += pin->own->s->read;
    pin->own->s->transferred = pin->own->s->read = 0;
    judge(pin, r, rec->credentials, status);
    return status;
}

/* A sub-request while the main one is on the pin, say an include in a page that still arrives: it
 * gets a connection for itself, on which nobody is signed in but by its own credentials. */
static int run_beside(request_rec *r, const osp_pin *busy, proxy_server_conf *conf, char *url,
                      const char *proxyname, apr_port_t proxyport)
{
    const char *error;
    osp_pin *pin = osp_pin_open(r->pool, r, busy->real, busy->balancer, busy->origin, &error);
    int status;

    if (!pin) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "OSP0901: [pinned-auth] no private connection to %s: %s", busy->origin, error);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = run(r, pin, conf, url, proxyname, proxyport);
    osp_pin_close(pin, OSP_PIN_CLOSED_BY_CLIENT);
    return status;
}

static int handle(request_rec *r, proxy_worker *worker, proxy_server_conf *conf, char *url,
                  const char *proxyname, apr_port_t proxyport)
{
    osp_request *rec = osp_request_get(r);
    osp_pin *pin = rec->pin;
    int status;

    (void)worker;
    if (!rec->pin_needed || rec->carried) {
        return DECLINED;
    }
    if (!pin) { /* mod_proxy goes on after a refusal, on a shared connection */
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (proxyname && strncasecmp(pin->origin, "https:", 6) != 0) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "OSP0908: [pinned-auth] credentials for %s refused: ProxyRemote leads there, "
                      "and shares its connections", pin->origin);
        return refuse(r, HTTP_SERVICE_UNAVAILABLE,
                      "Windows authentication cannot be carried through another proxy.");
    }
    if (pin->busy) {
        return run_beside(r, pin, conf, url, proxyname, proxyport);
    }
    status = run(r, pin, conf, url, proxyname, proxyport);
    if (pin->once && !pin->challenged) {
        rec->pin = NULL;
        osp_pin_close(pin, OSP_PIN_CLOSED_BY_CLIENT);
    }
    return status;
}

/* ---- hooks ------------------------------------------------------------------------------------------ */

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    const char *error = NULL;

    (void)plog;
    no_override = NULL;
    if (osp_engine_used() && osp_settings_used("ProxyErrorOverride")) {
        no_override = osp_settings_vector(pconf, ptemp, main_server, "ProxyErrorOverride", "Off",
                                          &error);
    }
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "OSP0909: [pinned-auth] ProxyErrorOverride Off could not be set: %s", error);
    }
    return OK;
}

static void retrieve(void)
{
    retry_worker = APR_RETRIEVE_OPTIONAL_FN(ap_proxy_retry_worker);
}

void osp_pinned_auth_hooks(apr_pool_t *p)
{
    /* mod_proxy_http answers at APR_HOOK_FIRST. */
    static const char *const after[] = {"mod_proxy_http.c", "mod_proxy_wstunnel.c", NULL};

    (void)p;
    osp_pin_hooks(p);
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_optional_fn_retrieve(retrieve, NULL, NULL, APR_HOOK_MIDDLE);
    proxy_hook_scheme_handler(handle, NULL, after, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(insert_h2, NULL, NULL, APR_HOOK_REALLY_LAST);
    h2_filter = ap_register_output_filter("OSPROXY_HTTP11", filter_h2, NULL, AP_FTYPE_CONTENT_SET);
    no_body = ap_register_input_filter("OSPROXY_NO_BODY", read_no_body, NULL, AP_FTYPE_RESOURCE);
}
