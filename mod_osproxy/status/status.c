/*
 * status.c: SetHandler osproxy-status: gathers a view and hands it to a rendering: the page for
 * people, `?rule=<name>` of one rule, `?json`, `?metrics`. And a section in mod_status.
 */
#include "apr_hash.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "apr_optional_hooks.h" /* which does not include what it needs */
#include "mod_status.h"
#include "scoreboard.h"

#include "osproxy.h"
#include "pin.h"

#include "audit/audit.h"
#include "page.h"

/* ---- the view ------------------------------------------------------------------------------- */

static const osp_dir_conf *defaults_of(const server_rec *s)
{
    return ap_get_module_config(s->lookup_defaults, &osproxy_module);
}

static const char *engine_name(const server_rec *s)
{
    switch (defaults_of(s)->engine) {
    case OSP_ENGINE_ON:
        return "on";
    case OSP_ENGINE_REPORT:
        return "report";
    default:
        return "off";
    }
}

static int port_of(const server_rec *s)
{
    return s->addrs && s->addrs->host_port ? s->addrs->host_port : s->port;
}

/* server_rec -> osp_server, of those that are audited. */
static apr_hash_t *judged_servers(apr_pool_t *p, const osp_audit *audit)
{
    apr_hash_t *servers = apr_hash_make(p);
    const osp_server *server = audit ? audit->facts->main : NULL;

    for (; server; server = server->next) {
        if (server->audited) {
            apr_hash_set(servers, &server->record, sizeof server->record, server);
        }
    }
    return servers;
}

/* Rules that act on requests; the audit's verdicts say the rest. */
static void read_rules(osp_view_vhost *vhost, const server_rec *s)
{
    const osp_dir_conf *dir = defaults_of(s);
    int id, event;

    for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
        osp_view_rule *rule = &vhost->rules[id];

        rule->mode = (enum osp_mode)dir->mode[id];
        rule->reason = dir->reason[id];
        for (event = 0; event < OSP_EVENT_COUNT; event++) {
            rule->events[event] = osp_count_read(osp_server_conf_get(s)->counters,
                                                 (enum osp_rule_id)id, (enum osp_event)event);
        }
    }
}

static void read_vhost(osp_view_vhost *vhost, const server_rec *s, const osp_server *judged)
{
    vhost->name = s->server_hostname ? s->server_hostname : "";
    vhost->port = port_of(s);
    vhost->is_main = !s->is_virtual;
    vhost->file = s->defn_name;
    vhost->line = s->defn_line_number;
    vhost->engine = engine_name(s);
    vhost->judged = judged;
    vhost->site = osp_server_conf_get(s)->site - 1;
    read_rules(vhost, s);
}

/* In the order written: httpd's list begins with the main server and goes on from the last. */
static void read_vhosts(osp_view *view, apr_pool_t *p)
{
    apr_hash_t *judged = judged_servers(p, view->audit);
    osp_view_vhost *vhosts;
    const server_rec *s;
    int count = 0, i;

    for (s = ap_server_conf; s; s = s->next) {
        count++;
    }
    view->vhosts = vhosts = apr_pcalloc(p, (apr_size_t)count * sizeof *vhosts);
    view->vhost_count = count;
    for (s = ap_server_conf, i = 0; s; s = s->next, i++) {
        read_vhost(&vhosts[i ? count - i : 0], s, apr_hash_get(judged, &s, sizeof s));
    }
}

static void read_pins(osp_view *view, apr_pool_t *p)
{
    osp_view_count *pins = apr_pcalloc(p, OSP_PIN_EVENT_COUNT * sizeof *pins);
    int event;

    for (event = 0; event < OSP_PIN_EVENT_COUNT; event++) {
        pins[event].name = osp_pin_event_name((enum osp_pin_event)event);
        pins[event].title = osp_pin_event_title((enum osp_pin_event)event);
        pins[event].count = osp_count_pin_read((enum osp_pin_event)event);
    }
    view->pins = pins;
    view->pin_count = OSP_PIN_EVENT_COUNT;
    view->pins_open = osp_count_pins_read_open();
}

/* The audit is shared by all threads; what a rendering takes comes from the request's memory. */
static const osp_audit *read_audit(const osp_memory *memory, apr_pool_t *p)
{
    const osp_audit *running = osp_audit_of_running();
    osp_audit *copy = NULL;

    if (running) {
        copy = apr_pmemdup(p, running, sizeof *copy);
        copy->memory = memory;
    }
    return copy;
}

static void *take(void *pool, size_t bytes)
{
    return apr_pcalloc(pool, bytes);
}

static const osp_view *gather(apr_pool_t *p, apr_time_t now)
{
    osp_memory *memory = apr_pcalloc(p, sizeof *memory);
    osp_view *view = apr_pcalloc(p, sizeof *view);

    *memory = (osp_memory){take, p};
    view->memory = memory;
    view->version = OSP_VERSION;
    view->httpd = ap_get_server_description();
    view->now = apr_time_sec(now);
    view->started = ap_scoreboard_image && ap_scoreboard_image->global
                        ? apr_time_sec(ap_scoreboard_image->global->restart_time)
                        : 0;
    view->deploy = osp_watch_deploy();
    view->table = osp_watch_size();
    view->audit = read_audit(memory, p);
    view->model = osp_model_read(p);
    read_vhosts(view, p);
    read_pins(view, p);
    return view;
}

/* ---- the handler ---------------------------------------------------------------------------- */

static void send_text(void *baton, const char *text, size_t length)
{
    ap_rwrite(text, (int)length, baton);
}

/* The value of a query's first rule=, in p; NULL when it has none. */
static const char *rule_of(const request_rec *r)
{
    const char *args = r->args ? r->args : "";

    if (strncmp(args, "rule=", 5) != 0) {
        return NULL;
    }
    return apr_pstrndup(r->pool, args + 5, strcspn(args + 5, "&"));
}

static void send_html(request_rec *r, osp_sink *sink, const osp_view *view)
{
    const char *name = rule_of(r);
    enum osp_rule_id id = name ? osp_rule_find(name) : OSP_RULE_COUNT;

    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(r->headers_out, "Content-Security-Policy", osp_page_policy);
    apr_table_setn(r->headers_out, "Referrer-Policy", "same-origin"); /* or Origin is null */
    if (!name) {
        osp_page_html(sink, view);
    }
    else if (id != OSP_RULE_COUNT) {
        osp_page_rule(sink, view, id);
    }
    else {
        r->status = HTTP_NOT_FOUND;
        osp_page_no_rule(sink, view);
    }
}

static int is_check(const request_rec *r)
{
    return r->args && strcmp(r->args, "check") == 0;
}

/* Whether an URL is of the host that was asked. */
static int is_of_host(const char *url, const char *host)
{
    const char *authority = ap_strstr_c(url, "://");
    apr_size_t length = authority ? strcspn(authority + 3, "/?#") : 0;

    return host && length && length == strlen(host) && strncasecmp(authority + 3, host, length) == 0;
}

/* Whether a page of another site makes a browser ask (Fetch Metadata; RFC 6454; browsers send one of
 * them with every POST). Scripts send none, and GET. */
static int is_forged(const request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *referer = apr_table_get(r->headers_in, "Referer");
    const char *host = apr_table_get(r->headers_in, "Host");

    if (site) {
        return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    }
    if (origin) {
        return !is_of_host(origin, host);
    }
    return r->method_number == M_POST || (referer && !is_of_host(referer, host));
}

/* The button of the page: asks, and leads back to it. */
static int check_now(request_rec *r)
{
    int status = ap_discard_request_body(r);

    if (status != OK) {
        return status;
    }
    osp_watch_ask();
    apr_table_setn(r->headers_out, "Location", "?");
    return HTTP_SEE_OTHER;
}

static int handler(request_rec *r)
{
    const osp_view *view;
    osp_sink sink;

    if (!r->handler || strcmp(r->handler, "osproxy-status") != 0) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, is_check(r) ? M_POST : -1, -1);
    if (r->method_number != M_GET && !(r->method_number == M_POST && is_check(r))) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store"); /* of errors as well */
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    if (is_check(r)) {
        if (is_forged(r)) {
            return HTTP_FORBIDDEN;
        }
        if (r->method_number == M_POST) {
            return check_now(r);
        }
        osp_watch_ask();
    }
    view = gather(r->pool, r->request_time);
    sink = (osp_sink){.out = {.memory = view->memory}, .send = send_text, .baton = r};
    if (is_check(r) || (r->args && strcmp(r->args, "json") == 0)) {
        ap_set_content_type(r, "application/json");
        osp_page_json(&sink, view);
    }
    else if (r->args && (strcmp(r->args, "metrics") == 0 || strcmp(r->args, "metrics=") == 0)) {
        ap_set_content_type(r, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        osp_page_metrics(&sink, view);
    }
    else {
        send_html(r, &sink, view);
    }
    return OK;
}

/* ---- mod_status ----------------------------------------------------------------------------- */

typedef struct sums {
    apr_uint64_t events[OSP_EVENT_COUNT];
    int errors, warnings, troubles;
    unsigned pins;
} sums;

static sums add_up(const osp_view *view)
{
    sums all = {.pins = view->pins_open};
    osp_index index;
    int i, id, event;

    osp_index_make(&index, view);
    all.troubles = index.warnings;
    all.errors = view->audit ? view->audit->counts[OSP_ERROR] : 0;
    all.warnings = view->audit ? view->audit->counts[OSP_WARNING] : 0;
    for (i = 0; i < view->vhost_count; i++) {
        for (id = 0; id < OSP_RULE_RUN_COUNT; id++) {
            for (event = 0; event < OSP_EVENT_COUNT; event++) {
                all.events[event] += view->vhosts[i].rules[id].events[event];
            }
        }
    }
    return all;
}

static int show_in_mod_status(request_rec *r, int flags)
{
    static const char *const words[OSP_EVENT_COUNT][2] = {
        {"OSProxyActed", "acted"}, {"OSProxyReported", "reported"}, {"OSProxyRefused", "refused"}};
    sums all = add_up(gather(r->pool, r->request_time));
    int event;

    if (flags & AP_STATUS_SHORT) {
        ap_rputs("OSProxyVersion: " OSP_VERSION "\n", r);
        for (event = 0; event < OSP_EVENT_COUNT; event++) {
            ap_rprintf(r, "%s: %" APR_UINT64_T_FMT "\n", words[event][0], all.events[event]);
        }
        ap_rprintf(r, "OSProxyPinsOpen: %u\nOSProxyAuditErrors: %d\nOSProxyAuditWarnings: %d\n"
                   "OSProxyTroubles: %d\n", all.pins, all.errors, all.warnings, all.troubles);
        return OK;
    }
    ap_rputs("<hr />\n<h2>mod_osproxy " OSP_VERSION "</h2>\n<dl>\n", r);
    for (event = 0; event < OSP_EVENT_COUNT; event++) {
        ap_rprintf(r, "<dt>requests %s: %" APR_UINT64_T_FMT "</dt>\n", words[event][1],
                   all.events[event]);
    }
    ap_rprintf(r, "<dt>clients with a connection of their own: %u</dt>\n"
               "<dt>findings in the configuration: %d errors, %d warnings</dt>\n"
               "<dt>troubles of the farm: %d</dt>\n</dl>\n", all.pins, all.errors, all.warnings,
               all.troubles);
    return OK;
}

void osp_status_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, show_in_mod_status, NULL, NULL, APR_HOOK_MIDDLE);
}
