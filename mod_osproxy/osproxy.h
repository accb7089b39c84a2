/*
 * osproxy.h: what the httpd glue shares: configuration, the per-request record, counters, reports.
 * Pure code (parse/) includes none of it.
 */
#ifndef OSPROXY_H
#define OSPROXY_H

#include "apr_hash.h"
#include "apr_network_io.h"
#include "apr_tables.h"
#include "httpd.h"
#include "http_config.h"
#include "http_log.h"
#include "http_main.h"

#include "parse/credentials.h"
#include "parse/span.h"
#include "proxy_api.h"
#include "rule.h"

#define OSP_VERSION "0.1.0"
#define OSP_KEEP_ALIVE_FLOOR 30 /* seconds; the requirement's own figure */
#define OSP_DEPLOY 600          /* seconds that a deployment takes, when nothing is written */
#define OSP_WATCH_RATE 240      /* requests of the watcher per minute, when nothing is written */

/* The one symbol that the shared object exports. */
extern module AP_MODULE_DECLARE_DATA osproxy_module __attribute__((visibility("default")));
APLOG_USE_MODULE(osproxy);

/* ---- configuration (config.c) ------------------------------------------------------------- */

enum osp_engine { OSP_ENGINE_UNSET, OSP_ENGINE_OFF, OSP_ENGINE_REPORT, OSP_ENGINE_ON };

/* The kind of an OutSystems module. Unknown is treated as Reactive where strictness costs
 * nothing, and only reported where it would refuse traffic. */
enum osp_kind { OSP_KIND_UNKNOWN, OSP_KIND_REACTIVE, OSP_KIND_MOBILE, OSP_KIND_TRADITIONAL };

typedef struct osp_module {
    const char *name; /* as declared */
    enum osp_kind kind;
} osp_module;

/* What the connections from an address carry. */
enum osp_hop {
    OSP_HOP_DEDICATED, /* one client each */
    OSP_HOP_SHARED,    /* perhaps several: a sign-in is good for one request */
    OSP_HOP_REFUSED    /* nobody signs in */
};

typedef struct osp_hop_rule {
    apr_ipsubnet_t *network;
    enum osp_hop hop;
} osp_hop_rule;

/* Per directory, so that httpd's own merging carries it through server, vhost and sections. */
typedef struct osp_dir_conf {
    enum osp_engine engine;
    unsigned char set[OSP_RULE_MODE_COUNT];  /* 0: not written here or above, else 1 + enum osp_mode */
    unsigned char mode[OSP_RULE_MODE_COUNT]; /* enum osp_mode in force: engine and rule together */
    const char *reason[OSP_RULE_MODE_COUNT]; /* why a rule is off, or NULL */
} osp_dir_conf;

typedef struct osp_counters osp_counters;
typedef struct osp_module_index osp_module_index;

typedef struct osp_server_conf {
    apr_array_header_t *internal; /* apr_ipsubnet_t *; NULL: not written, nobody is internal */
    apr_array_header_t *domains;  /* const char *, lower case; NULL: ServerName */
    apr_array_header_t *modules;  /* osp_module, in the order written */
    apr_array_header_t *hops;     /* osp_hop_rule, the first that fits counts; NULL: not written */
    int keep_alive;               /* seconds; 0: not written */
    int pin_limit;                /* pinned connections per child; 0: not written */
    int watch;                    /* requests per minute; 0: not written, -1: Off */
    int deploy;                   /* seconds that two versions may last; 0: not written */

    /* worked out once, after the configuration is complete */
    osp_module_index *module_index; /* NULL when no module is declared */
    osp_counters *counters;    /* this virtual host's row of the shared table */
    int site;                  /* watch/: 1 + its index in the model, 0: not watched */
    ap_conf_vector_t *defaults_with_host; /* rules/preserve_host.c */
    const char *https_host;    /* rules/domain_https.c: where to send plain http, or NULL */
    unsigned raised:1;         /* rules/keep_alive.c changed a time-out here ... */
    apr_interval_time_t keep_alive_timeout_was; /* ... and what stood before, for the audit */
    int keep_alive_was, keep_alive_max_was;
    unsigned no_encoded_slash:1; /* rules/path_unchanged.c: AllowEncodedSlashes Off is written */
} osp_server_conf;

extern const command_rec osp_commands[];
void *osp_config_create_server(apr_pool_t *p, server_rec *s);
void *osp_config_merge_server(apr_pool_t *p, void *base, void *add);
void *osp_config_create_dir(apr_pool_t *p, char *dir);
void *osp_config_merge_dir(apr_pool_t *p, void *base, void *add);

static inline osp_server_conf *osp_server_conf_get(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &osproxy_module);
}

static inline const osp_dir_conf *osp_dir_conf_get(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &osproxy_module);
}

/* The mode of a rule outside every section of s. */
static inline enum osp_mode osp_server_mode(const server_rec *s, enum osp_rule_id rule)
{
    const osp_dir_conf *dir = ap_get_module_config(s->lookup_defaults, &osproxy_module);

    return (enum osp_mode)dir->mode[rule];
}

/* The mode of a rule for this request, as far as its sections are known by now. */
static inline enum osp_mode osp_request_mode(const request_rec *r, enum osp_rule_id rule)
{
    return (enum osp_mode)osp_dir_conf_get(r)->mode[rule];
}

/* True when the engine is On or Report somewhere in s: outside its sections or in one of them. */
int osp_engine_used(void);

/* ---- modules by name (module.c) --------------------------------------------------------------- */

/* The name of a module in a path, read once. Names that differ in case alone have one hash. */
typedef struct osp_module_name {
    const char *p; /* into the path */
    apr_size_t n;
    apr_uint64_t hash;
} osp_module_name;

/* Before the first name is read. */
void osp_module_begin(void);

/* The first segment of path (raw or decoded) that is not empty. */
osp_module_name osp_module_name_of(const char *path);

/* A table of modules (osp_module) by name, in p. Of several of one name the last counts. */
osp_module_index *osp_module_index_make(apr_pool_t *p, const apr_array_header_t *modules);

/* The declared module of that name, NULL when none is. */
const osp_module *osp_module_find(const osp_server_conf *conf, const osp_module_name *name);

/* ---- the per-connection and per-request records (request.c) ---------------------------------------------------- */

typedef struct osp_conn {
    struct osp_pin *pins; /* pin.c: the newest, or NULL */
    unsigned pin_count;
    unsigned tls_known:1;
    unsigned tls:1;       /* valid when tls_known */
} osp_conn;

/* The record of a connection, made at first use, in its pool. */
osp_conn *osp_conn_get(conn_rec *c);

/* What a rule did. */
enum osp_event { OSP_ACTED, OSP_REPORTED, OSP_REFUSED, OSP_EVENT_COUNT };

typedef struct osp_request {
    unsigned client_known:1;
    unsigned internal:1;      /* client class, valid when client_known */
    unsigned scheme_known:1;
    unsigned https:1;         /* scheme as the client saw it, valid when scheme_known */
    unsigned prepared:1;      /* rules that rewrite request headers have run */
    unsigned routing:1;       /* pre_request is running from inside route.c */
    unsigned proxied:1;       /* a back end was chosen: the answer may be its own */
    unsigned own_host:1;      /* Host is a name of the virtual host, valid when host_known */
    unsigned host_known:1;
    unsigned pin_lost:1;      /* the client was signed in to a server that is gone */
    unsigned pin_needed:1;    /* must go by a pin or not at all */
    unsigned carried:1;       /* goes by a pin right now */
    unsigned pin_failed:1;    /* the last attempt by the pin did */
    unsigned answered:1;      /* a back end gave the answer; known when mod_proxy is done */
    unsigned kind_known:1;
    unsigned plain_path:1;    /* rules/path_unchanged.c: nothing in the path needs decoding */
    enum osp_kind kind;       /* valid when kind_known */
    unsigned happened[OSP_EVENT_COUNT]; /* a bit for each rule: what was counted for this request */
    const char *told_proto;   /* rules/forwarded_proto.c: for the head that mod_proxy builds, or NULL */
    struct osp_pin *pin;      /* rules/pinned_auth.c: the connection to use, or NULL */
    enum osp_credentials_kind credentials; /* of Windows authentication; set by its rule */
    const char *auth_scheme;  /* theirs, or NULL */
} osp_request;

osp_request *osp_request_make(request_rec *r);

/* The record of r, made at first use, in r->pool. */
static inline osp_request *osp_request_get(request_rec *r)
{
    osp_request *rec = ap_get_module_config(r->request_config, &osproxy_module);

    return rec ? rec : osp_request_make(r);
}

/* The kind of the module that path (raw or decoded) belongs to: declared, else learned. */
enum osp_kind osp_kind_of(const server_rec *s, const char *path);

/* The same of the request's own path, worked out once. */
static inline enum osp_kind osp_request_kind(request_rec *r)
{
    osp_request *rec = osp_request_get(r);

    if (!rec->kind_known) {
        rec->kind = osp_kind_of(r->server, r->uri);
        rec->kind_known = 1;
    }
    return rec->kind;
}

static inline int osp_kind_is_strict(enum osp_kind kind)
{
    return kind == OSP_KIND_REACTIVE || kind == OSP_KIND_MOBILE;
}

/* True when the client's address differs from the connection's, because mod_remoteip took it from a
 * header field of a hop that it trusts. False when the PROXY protocol told it: a hop that passes
 * bytes on has written none of the header fields. */
int osp_request_via_trusted_hop(const request_rec *r);

/* True when the client used https, as seen by the connection or told by a trusted hop. */
int osp_request_ask_https(const request_rec *r);

/* The same, worked out once. */
static inline int osp_request_is_https(request_rec *r)
{
    osp_request *rec = osp_request_get(r);

    if (!rec->scheme_known) {
        rec->https = osp_request_ask_https(r) ? 1 : 0;
        rec->scheme_known = 1;
    }
    return rec->https;
}

/* True when the client may have used https and nobody can say so: a trusted hop tells no scheme, or one
 * that speaks the PROXY protocol passes on a field that tells https, and perhaps the client wrote it. */
int osp_request_scheme_is_untold(const request_rec *r);

/* True when r->hostname is a name of the virtual host or one of its OSProxyDomains. */
int osp_request_host_is_own(request_rec *r);

/* The request-target in origin form, byte for byte as the client sent it: for an absolute URI the
 * part from its path on. Empty when there is none (OPTIONS *). */
osp_span osp_request_target(const request_rec *r);

/* ---- client class (client.c) --------------------------------------------------------------- */

/* True when the client is one of OSProxyInternal: it may use Negotiate. */
int osp_client_is_internal(request_rec *r);
void osp_client_hooks(apr_pool_t *p);

/* ---- counters and reports (count.c, report.c) ---------------------------------------------- */

/* Attaches every virtual host to its row; in post_config, once per (re)start, in the parent.
 * APR_SUCCESS or the error of the shared memory. */
apr_status_t osp_count_attach(apr_pool_t *p, server_rec *main_server);

/* Adds one. Safe in every thread and process, on any row, also NULL (counts nothing). */
void osp_count(osp_counters *row, enum osp_rule_id rule, enum osp_event event);
apr_uint64_t osp_count_read(const osp_counters *row, enum osp_rule_id rule, enum osp_event event);

/* At most one caller a minute (of request time) gets 1 for a slot (0 to 7) of a rule: the one who
 * logs at warning. */
int osp_count_due(osp_counters *row, enum osp_rule_id rule, unsigned slot, apr_time_t now);

/* Adds one for the virtual host of r, and keeps it for the access log (trace.c). */
static inline void osp_request_count(request_rec *r, enum osp_rule_id rule, enum osp_event event)
{
    osp_request_get(r)->happened[event] |= 1u << rule;
    osp_count(osp_server_conf_get(r->server)->counters, rule, event);
}

/* The log level of a recurring message: warning once a minute per virtual host, else debug. */
int osp_report_level(const request_rec *r, enum osp_rule_id rule, unsigned slot);

/* Logs a recurring message so. httpd's own macro evaluates the level twice. */
#define OSP_REPORT(r, rule, slot, ...)                              \
    do {                                                            \
        int osp_level_ = osp_report_level((r), (rule), (slot));     \
        ap_log_rerror(APLOG_MARK, osp_level_, 0, (r), __VA_ARGS__); \
    } while (0)

/* Refuses a request, counts it and returns status. The client gets a page with text, a sentence or
 * two without markup, unless the administrator has an ErrorDocument for that status. */
int osp_refuse(request_rec *r, enum osp_rule_id rule, int status, const char *text);

/* ---- watching (watch/) ----------------------------------------------------------------------- */

/* What the watcher learned from app servers about the module of that name. */
enum osp_kind osp_watch_kind(const osp_server_conf *conf, const osp_module_name *name);

/* Step of answer.c: a back end's 200 begins. A page may be copied for the watcher. */
void osp_mail_answer(request_rec *r);

/* A consistent copy of what the watchers know, which p frees; NULL when nothing is watched. */
struct osp_model;
const struct osp_model *osp_model_read(apr_pool_t *p);

/* Asks the watcher to look at everything now; its model's `answered` reaches what `asked` was. */
void osp_watch_ask(void);

/* Seconds that two versions of a module may last: a deployment. */
int osp_watch_deploy(void);

/* Bytes of the shared table; 0 when nothing is watched. */
apr_size_t osp_watch_size(void);

/* ---- running ordinary directives (settings.c) ---------------------------------------------- */

/* Runs one directive into vector: as if written outside every section of s when that is
 * s->lookup_defaults, else as if in a section. Returns NULL or httpd's error text. */
const char *osp_settings_run(apr_pool_t *p, apr_pool_t *ptemp, server_rec *s,
                             ap_conf_vector_t *vector, const char *directive, const char *args);

/* A directory configuration that holds one directive and nothing else, in p: merged over a request's
 * own, it is that directive's last word. NULL with error set to httpd's text. */
ap_conf_vector_t *osp_settings_vector(apr_pool_t *p, apr_pool_t *ptemp, server_rec *s,
                                      const char *directive, const char *args, const char **error);

/* The last value of a directive directly in s's own <VirtualHost>, or outside every section for
 * the main server; NULL when it is not written there. */
const char *osp_settings_written(const server_rec *s, const server_rec *main_server,
                                 const char *directive);

/* True when the directive is written anywhere, sections included. */
int osp_settings_used(const char *directive);

/* Calls fn for each line of a directive, sections included: where it stands (NULL: outside of virtual
 * hosts), whether in a section, its arguments. */
void osp_settings_each(server_rec *main_server, const char *directive,
                       void (*fn)(void *baton, const server_rec *s, int in_section, const char *args),
                       void *baton);

/* The server_rec that a connection to one of s's addresses starts with: the first virtual host
 * listed for it. Calls fn for each. */
void osp_settings_each_first_vhost(server_rec *s, server_rec *main_server,
                                   void (*fn)(server_rec *first, void *baton), void *baton);

/* ---- rules (rules/<word>.c) in the order of a request, and the rest ------------------------- */

void osp_keep_alive_hooks(apr_pool_t *p);
void osp_no_cache_hooks(apr_pool_t *p);
void osp_domain_https_hooks(apr_pool_t *p);
void osp_preserve_host_hooks(apr_pool_t *p);
void osp_path_unchanged_hooks(apr_pool_t *p);
void osp_forwarded_proto_hooks(apr_pool_t *p);
void osp_answer_hooks(apr_pool_t *p);
void osp_negotiate_hooks(apr_pool_t *p);
void osp_pinned_auth_hooks(apr_pool_t *p);
void osp_count_hooks(apr_pool_t *p);
void osp_trace_hooks(apr_pool_t *p);
void osp_route_hooks(apr_pool_t *p);
void osp_status_hooks(apr_pool_t *p);
void osp_mail_hooks(apr_pool_t *p);
void osp_watch_hooks(apr_pool_t *p);
void osp_audit_hooks(apr_pool_t *p);

/* What mod_proxy chose for a request. */
typedef struct osp_route {
    proxy_worker *worker;
    proxy_balancer *balancer; /* or NULL */
    char *url;                /* goes to the scheme handler; a step may replace it */
} osp_route;

/* Steps of route.c: run for each proxied request once its back end is chosen. OK, or the status to
 * refuse with. */
int osp_preserve_host_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_default_ports_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_domain_https_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_forwarded_proto_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_pinned_auth_member(request_rec *r, osp_request *rec, osp_route *way);
int osp_pinned_auth_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_answer_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_path_unchanged_route(request_rec *r, osp_request *rec, osp_route *way);
int osp_probe_route(request_rec *r, osp_request *rec, osp_route *way);

/* Steps of answer.c: a back end's 401 begins. */
void osp_negotiate_answer(request_rec *r);
int osp_negotiate_applies(request_rec *r); /* whether it could have something to do */

#endif
