/*
 * watch.c: the rules referenced-content and no-cache while the proxy runs: the shared table, the
 * watcher's turn, and what the log says. Directive: OSProxyWatch.
 *
 * The table is one anonymous mapping, made at the first start and retained by the parent like the
 * counters (count.c), so that old and new children of a reload share it. mod_watchdog runs the
 * watcher in one child at a time; across a reload an old child may still be at it, so that who writes
 * also holds the table by its process id.
 */
#include "apr_general.h"
#include "apr_shm.h"
#include "apr_strings.h"
#include "ap_listen.h"
#include "ap_mpm.h"
#include "http_core.h"
#include "mod_watchdog.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "parse/links.h"
#include "watch/watch.h"

#define RETAINED "mod_osproxy-watch-4" /* of this layout of the table */
#define WATCHDOG "_osproxy_"
#define TURN apr_time_from_sec(1)
#define MOST_SECONDS 12 /* that a turn may still take when a child ends: a probe has ten */
#define SILENCE 60 /* seconds without a sign of life after which a watcher is given up */

typedef struct retained {
    apr_shm_t *shm;
} retained;

osp_shared *osp_table;

static osp_site_conf sites[OSP_MODEL_SITES]; /* of this configuration, by index of the table */
static osp_prober *prober;                   /* of the child that watches */
static apr_uint32_t busy, leaving;           /* of this child: a turn is under way; it ends */

/* ---- the table -------------------------------------------------------------------------------- */

apr_uint64_t osp_watch_hash(apr_uint64_t hash, const char *text, apr_size_t length)
{
    apr_size_t i;

    for (i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)osp_span_lower(text[i])) * 1099511628211u;
    }
    return (hash ^ 0xff) * 1099511628211u;
}

apr_uint64_t osp_watch_kind_key(int site, const osp_module_name *name)
{
    apr_uint64_t key = (name->hash + (apr_uint64_t)site) * 0x9e3779b97f4a7c15u;

    return (key | 4) & ~(apr_uint64_t)3;
}

void osp_model_begin(void)
{
    __atomic_fetch_add(&osp_table->model.sequence, 1, __ATOMIC_ACQ_REL);
}

void osp_model_end(void)
{
    __atomic_fetch_add(&osp_table->model.sequence, 1, __ATOMIC_ACQ_REL);
}

static apr_status_t release(void *copy)
{
    free(copy);
    return APR_SUCCESS;
}

/* Copies what is in use; the rest of the copy stays zero, and untouched pages cost nothing. */
static void copy_model(osp_model *to, const osp_model *from)
{
    memcpy(to, from, offsetof(osp_model, modules));
    memcpy(to->modules, from->modules,
           sizeof to->modules[0] * OSP_MIN(from->module_count, OSP_MODEL_MODULES));
    memcpy(to->references, from->references,
           sizeof to->references[0] * OSP_MIN(from->reference_count, OSP_MODEL_REFERENCES));
    memcpy(to->apps, from->apps, sizeof to->apps);
    memcpy(to->versions, from->versions,
           sizeof to->versions[0] * OSP_MIN(from->version_count, OSP_MODEL_VERSIONS));
    memcpy(to->faults, from->faults, sizeof to->faults);
}

const osp_model *osp_model_read(apr_pool_t *p)
{
    const osp_model *from = osp_table ? &osp_table->model : NULL;
    osp_model *copy = from ? calloc(1, sizeof *copy) : NULL;
    apr_uint32_t before;
    int tries;

    if (!copy) {
        return NULL;
    }
    apr_pool_cleanup_register(p, copy, release, apr_pool_cleanup_null);
    for (tries = 0; tries < 20; tries++) {
        before = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
        if (!(before & 1)) {
            copy_model(copy, from);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == before) {
                return copy;
            }
        }
        apr_sleep(1000);
    }
    copy_model(copy, from); /* a writer that died: its half-written entry is still text that ends */
    return copy;
}

void osp_watch_ask(void)
{
    if (osp_table) {
        __atomic_store_n(&osp_table->model.asked_at, apr_time_sec(apr_time_now()), __ATOMIC_RELAXED);
        __atomic_fetch_add(&osp_table->model.asked, 1, __ATOMIC_RELAXED);
    }
}

int osp_watch_deploy(void)
{
    int written = osp_server_conf_get(ap_server_conf)->deploy;

    return written ? written : OSP_DEPLOY;
}

apr_size_t osp_watch_size(void)
{
    return osp_table ? sizeof *osp_table : 0;
}

/* ---- sites -------------------------------------------------------------------------------------- */

/* mod_ssl tells of a connection only, and there is none yet. */
static int is_https(server_rec *main_server, const server_rec *s)
{
    const char *engine = osp_settings_written(s, main_server, "SSLEngine");

    return engine && strcasecmp(engine, "off") != 0;
}

/* A virtual host for any address is where httpd listens: on any address, or else the loopback one, or
 * else the first. */
static const char *listening(int port)
{
    const ap_listen_rec *listener;
    char *ip = NULL, *best = NULL;

    for (listener = ap_listeners; listener; listener = listener->next) {
        if (!listener->bind_addr || listener->bind_addr->port != port
            || apr_sockaddr_ip_get(&ip, listener->bind_addr) != APR_SUCCESS) {
            continue;
        }
        if (strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0) {
            return "127.0.0.1";
        }
        if (!best || strcmp(ip, "127.0.0.1") == 0) {
            best = ip;
        }
    }
    return best ? best : "127.0.0.1";
}

static const char *connect_to(apr_pool_t *p, const server_rec *s, int port)
{
    const server_addr_rec *a = s->addrs;
    const char *ip;
    char *own = NULL;

    if (!a || !a->host_addr || apr_sockaddr_ip_get(&own, a->host_addr) != APR_SUCCESS
        || strcmp(own, "0.0.0.0") == 0 || strcmp(own, "::") == 0
        || strcmp(own, "255.255.255.255") == 0) {
        ip = listening(port);
    }
    else {
        ip = own;
    }
    return apr_psprintf(p, strchr(ip, ':') ? "[%s]:%d" : "%s:%d", ip, port);
}

static const char *domain_of(const server_rec *s)
{
    const osp_server_conf *conf = osp_server_conf_get(s);

    return conf->domains && conf->domains->nelts ? APR_ARRAY_IDX(conf->domains, 0, const char *)
                                                 : s->server_hostname;
}

/* The place of a site, taken if it has none; -1: the table is full. */
static int site_for(apr_uint64_t key)
{
    int i, at = (int)(key % OSP_MODEL_SITES);

    for (i = 0; i < OSP_MODEL_SITES; i++, at = (at + 1) % OSP_MODEL_SITES) {
        osp_site *site = &osp_table->model.sites[at];

        if (site->key == key || !site->key) {
            site->key = key;
            return at;
        }
    }
    return -1;
}

static int watches(const server_rec *s)
{
    const osp_dir_conf *dir = ap_get_module_config(s->lookup_defaults, &osproxy_module);

    return dir->engine > OSP_ENGINE_OFF;
}

/* Plain http of a name that https serves as well is not asked: it leads there. */
static server_rec *https_of(server_rec *main_server, const server_rec *s)
{
    server_rec *other;

    for (other = main_server->next; other; other = other->next) {
        if (other != s && watches(other) && strcasecmp(domain_of(other), domain_of(s)) == 0
            && is_https(main_server, other)) {
            return other;
        }
    }
    return NULL;
}

static apr_uint32_t rules_off(const server_rec *s)
{
    apr_uint32_t off = 0;
    int id;

    for (id = 0; id < OSP_RULE_MODE_COUNT; id++) {
        if (osp_server_mode(s, (enum osp_rule_id)id) == OSP_OFF) {
            off |= (apr_uint32_t)1 << id;
        }
    }
    return off;
}

static void attach_site(apr_pool_t *p, server_rec *main_server, server_rec *s)
{
    int https = is_https(main_server, s);
    int port = s->addrs && s->addrs->host_port ? s->addrs->host_port : s->port;
    const char *name = domain_of(s);
    apr_uint64_t key;
    osp_site *site;
    int at;

    if (!port) {
        port = https ? 443 : 80;
    }
    key = osp_watch_hash(OSP_HASH_BEGIN + (apr_uint64_t)port, name, strlen(name));
    at = name ? site_for(key ? key : 1) : -1;
    if (at < 0 || sites[at].counted) {
        return;
    }
    site = &osp_table->model.sites[at];
    apr_cpystrn(site->name, name, sizeof site->name);
    site->port = (apr_uint16_t)port;
    site->https = (apr_byte_t)https;
    site->present = 1;
    site->off = rules_off(s);
    site->hindrance = OSP_HINDRANCE_NONE;
    site->twin = 0;
    osp_server_conf_get(s)->site = 1 + at;
    sites[at].counted = s;
    if (https || !https_of(main_server, s)) {
        const char *connect = connect_to(p, s, port);

        sites[at] = (osp_site_conf){s, s, connect, https, port,
                                    https && osp_hindrance_in_sections(p, main_server, s)};
        site->hindrance = (apr_byte_t)osp_hindrance_of(p, main_server, s, https, connect);
    }
}

/* The main server is one only when it has no virtual hosts beside it. */
static void attach_sites(apr_pool_t *p, server_rec *main_server)
{
    server_rec *s;
    int i;

    memset(sites, 0, sizeof sites);
    osp_model_begin();
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        osp_table->model.sites[i].present = 0;
    }
    for (s = main_server; s; s = s->next) {
        osp_server_conf_get(s)->site = 0;
        if (watches(s) && (s != main_server || !main_server->next)) {
            attach_site(p, main_server, s);
        }
    }
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (sites[i].counted && !sites[i].server) {
            s = https_of(main_server, sites[i].counted);
            osp_table->model.sites[i].twin = (apr_uint16_t)osp_server_conf_get(s)->site;
        }
    }
    osp_model_end();
}

static apr_status_t attach(void)
{
    retained *kept = ap_retained_data_get(RETAINED);
    unsigned char bytes[16];
    unsigned i;

    if (!kept) {
        kept = ap_retained_data_create(RETAINED, sizeof *kept);
    }
    if (!kept->shm) {
        apr_status_t rv = apr_shm_create(&kept->shm, sizeof *osp_table, NULL, ap_pglobal);

        if (rv != APR_SUCCESS) {
            kept->shm = NULL;
            return rv;
        }
        osp_table = apr_shm_baseaddr_get(kept->shm);
        apr_generate_random_bytes(bytes, sizeof bytes);
        for (i = 0; i < sizeof bytes; i++) {
            apr_snprintf(osp_table->secret + 2 * i, 3, "%02x", bytes[i]);
        }
        osp_table->model.began = apr_time_sec(apr_time_now());
    }
    osp_table = apr_shm_baseaddr_get(kept->shm);
    return APR_SUCCESS;
}

/* ---- learned kinds ------------------------------------------------------------------------------ */

enum osp_kind osp_watch_kind(const osp_server_conf *conf, const osp_module_name *name)
{
    int site = conf->site - 1;
    apr_uint64_t key;
    unsigned at, i;

    if (!osp_table || site < 0) {
        return OSP_KIND_UNKNOWN;
    }
    key = osp_watch_kind_key(site, name);
    at = (unsigned)(key >> 20) % OSP_KIND_PLACES;
    for (i = 0; i < 8; i++) {
        apr_uint64_t entry = __atomic_load_n(&osp_table->kinds[(at + i) % OSP_KIND_PLACES],
                                             __ATOMIC_RELAXED);

        if ((entry & ~(apr_uint64_t)3) == key) {
            return (enum osp_kind)(entry & 3);
        }
        if (!entry) {
            break;
        }
    }
    return OSP_KIND_UNKNOWN;
}

/* ---- the log ------------------------------------------------------------------------------------ */

typedef struct story {
    apr_uint64_t standing[OSP_ANNOUNCED]; /* troubles there are now */
    apr_uint64_t quiet[2 * OSP_ANNOUNCED]; /* not to be told, and not in order for that */
    int count, quiet_count;
} story;

static apr_uint64_t key_of(const osp_model *model, const osp_trouble *trouble, int severity)
{
    apr_uint64_t key = OSP_HASH_BEGIN + (apr_uint64_t)trouble->kind;
    int about[4] = {trouble->module, trouble->app, trouble->site, severity};

    key = osp_watch_hash(key, (const char *)about, sizeof about);
    if (trouble->fault >= 0) {
        const char *path = model->faults[trouble->fault].path;

        key = osp_watch_hash(key, path, strlen(path));
    }
    return key ? key : 1;
}

static void keep_quiet(story *now, apr_uint64_t key)
{
    if (now->quiet_count < 2 * OSP_ANNOUNCED) {
        now->quiet[now->quiet_count++] = key;
    }
}

static int is_in(const apr_uint64_t *keys, int count, apr_uint64_t key)
{
    int i;

    for (i = 0; i < count; i++) {
        if (keys[i] == key) {
            return 1;
        }
    }
    return 0;
}

static server_rec *server_of(int site)
{
    return site >= 0 && sites[site].server ? sites[site].server : ap_server_conf;
}

static const char *const messages[OSP_TROUBLE_COUNT] = {
    [OSP_TROUBLE_MISSING] = "OSP1101: missing content: %s; fix: %s",
    [OSP_TROUBLE_FAILING] = "OSP1102: a module fails: %s; fix: %s",
    [OSP_TROUBLE_RESOURCE] = "OSP1103: a resource is not as it is meant: %s; fix: %s",
    [OSP_TROUBLE_VERSIONS] = "OSP1104: the farm has several versions: %s; fix: %s",
    [OSP_TROUBLE_APP_DOWN] = "OSP1105: an app server fails: %s; fix: %s",
};

static void announce(void *baton, const osp_trouble *trouble)
{
    const osp_model *model = &osp_table->model;
    char text[1024], advice[512];
    story *now = baton;
    apr_uint64_t key = key_of(model, trouble, trouble->warning);

    /* What was a note may be a warning now, and what was told may be off now. */
    keep_quiet(now, key_of(model, trouble, !trouble->warning));
    if (trouble->off) {
        keep_quiet(now, key);
        return;
    }
    if (now->count >= OSP_ANNOUNCED) {
        return;
    }
    now->standing[now->count++] = key;
    if (is_in(osp_table->announced, OSP_ANNOUNCED, key)) {
        return;
    }
    osp_model_describe(model, trouble, text, sizeof text);
    osp_model_advise(model, trouble, advice, sizeof advice);
    ap_log_error(APLOG_MARK, trouble->warning ? APLOG_WARNING : APLOG_INFO, 0,
                 server_of(trouble->site), messages[trouble->kind], text, advice);
}

static void tell_log(apr_pool_t *p, apr_time_t now)
{
    story *told = apr_pcalloc(p, sizeof *told);
    int i, cleared = 0;

    osp_model_troubles(&osp_table->model, apr_time_sec(now), osp_watch_deploy(), announce, told);
    for (i = 0; i < OSP_ANNOUNCED && told->count < OSP_ANNOUNCED; i++) {
        cleared += osp_table->announced[i]
                   && !is_in(told->standing, told->count, osp_table->announced[i])
                   && !is_in(told->quiet, told->quiet_count, osp_table->announced[i]);
    }
    if (cleared) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, ap_server_conf,
                     "OSP1106: %d of what was reported is in order again; %d stand", cleared,
                     told->count);
    }
    memcpy(osp_table->announced, told->standing, sizeof told->standing);
}

/* ---- minutes ------------------------------------------------------------------------------------ */

typedef struct sums {
    apr_uint64_t requests, failed, events[OSP_EVENT_COUNT];
} sums;

static sums last[OSP_MODEL_SITES]; /* as of the last turn of this child; zero: not known yet */
static int last_known;

static void sum_up(int site, sums *now)
{
    const server_rec *s = sites[site].counted;
    int rule, event;

    now->requests = __atomic_load_n(&osp_table->model.sites[site].requests, __ATOMIC_RELAXED);
    now->failed = __atomic_load_n(&osp_table->model.sites[site].failed, __ATOMIC_RELAXED);
    for (event = 0; event < OSP_EVENT_COUNT; event++) {
        now->events[event] = 0;
        for (rule = 0; rule < OSP_RULE_RUN_COUNT; rule++) {
            now->events[event] += osp_count_read(osp_server_conf_get(s)->counters,
                                                 (enum osp_rule_id)rule, (enum osp_event)event);
        }
    }
}

static void add_to_minute(osp_site *site, apr_uint64_t minute, const sums *before, const sums *now)
{
    osp_minute *entry;

    if (minute - site->minute >= OSP_MODEL_MINUTES) {
        memset(site->minutes, 0, sizeof site->minutes);
        site->minute = minute;
    }
    while (site->minute < minute) {
        memset(&site->minutes[++site->minute % OSP_MODEL_MINUTES], 0, sizeof site->minutes[0]);
    }
    entry = &site->minutes[minute % OSP_MODEL_MINUTES];
    entry->requests += (apr_uint32_t)(now->requests - before->requests);
    entry->failed += (apr_uint32_t)(now->failed - before->failed);
    entry->acted += (apr_uint32_t)(now->events[OSP_ACTED] - before->events[OSP_ACTED]);
    entry->reported += (apr_uint32_t)(now->events[OSP_REPORTED] - before->events[OSP_REPORTED]);
    entry->refused += (apr_uint32_t)(now->events[OSP_REFUSED] - before->events[OSP_REFUSED]);
}

static void keep_minutes(apr_time_t now)
{
    apr_uint64_t minute = (apr_uint64_t)apr_time_sec(now) / 60;
    int i;

    osp_model_begin();
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (sites[i].counted) {
            sums current;

            sum_up(i, &current);
            if (last_known) {
                add_to_minute(&osp_table->model.sites[i], minute, &last[i], &current);
            }
            last[i] = current;
        }
    }
    last_known = 1;
    osp_model_end();
}

/* ---- the watcher's turn --------------------------------------------------------------------------- */

int osp_watch_is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    return __atomic_load_n(&leaving, __ATOMIC_ACQUIRE)
           || (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING);
}

/* False while a child of an older generation has not ended its turn. */
static int take_table(void)
{
    apr_int32_t holder = __atomic_load_n(&osp_table->model.writer, __ATOMIC_ACQUIRE);

    if (holder == (apr_int32_t)getpid()) {
        return 1;
    }
    /* The number of a process that has died may be another one's by now. */
    if (holder && (kill(holder, 0) == 0 || errno == EPERM)
        && apr_time_sec(apr_time_now()) - osp_table->model.beat < SILENCE) {
        return 0;
    }
    if (!__atomic_compare_exchange_n(&osp_table->model.writer, &holder, (apr_int32_t)getpid(), 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return 0;
    }
    if (osp_table->model.sequence & 1) {
        osp_model_end(); /* the one before died while it wrote */
    }
    return 1;
}

static void leave_table(void)
{
    apr_int32_t own = (apr_int32_t)getpid();

    __atomic_compare_exchange_n(&osp_table->model.writer, &own, 0, 0, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

static void take_turn(apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    apr_pool_t *p;

    osp_table->model.beat = apr_time_sec(now);
    apr_pool_create(&p, pool);
    if (!prober) {
        prober = osp_prober_make();
        osp_farm_begin();
    }
    keep_minutes(now);
    osp_learn_mail(p);
    if (prober) {
        osp_farm_step(prober, p, sites);
    }
    if (!osp_watch_is_stopping()) {
        tell_log(p, apr_time_now());
    }
    apr_pool_destroy(p);
}

static apr_status_t turn(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    if (state != AP_WATCHDOG_STATE_RUNNING) {
        return APR_SUCCESS;
    }
    __atomic_store_n(&busy, 1, __ATOMIC_SEQ_CST);
    if (!osp_watch_is_stopping() && take_table()) {
        take_turn(pool);
    }
    __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
    return APR_SUCCESS;
}

/* mod_watchdog keeps its threads with the configuration, which a child that ends does not destroy: so it
 * waits for nobody, and OpenSSL's tables would go while a probe uses them. */
static apr_status_t end_child(void *baton)
{
    int left;

    (void)baton;
    __atomic_store_n(&leaving, 1, __ATOMIC_SEQ_CST);
    for (left = MOST_SECONDS * 200; left && __atomic_load_n(&busy, __ATOMIC_SEQ_CST); left--) {
        apr_sleep(5000);
    }
    if (osp_table) {
        leave_table();
    }
    return APR_SUCCESS;
}

static void begin_child(apr_pool_t *pchild, server_rec *s)
{
    (void)s;
    prober = NULL;
    last_known = 0;
    busy = leaving = 0;
    if (osp_table) {
        apr_pool_pre_cleanup_register(pchild, NULL, end_child);
    }
}

/* ---- configuration --------------------------------------------------------------------------------- */

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    const char *missing;
    apr_status_t rv;

    (void)plog;
    osp_table = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !osp_engine_used()
        || osp_server_conf_get(main_server)->watch < 0) {
        return OK;
    }
    if (!get || !add) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "OSP1108: mod_watchdog is not loaded: requests are handled, but nothing is "
                     "watched; load it, or write OSProxyWatch Off");
        return OK;
    }
    missing = osp_prober_load(ptemp);
    if (missing) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                     "OSP1109: the watcher needs libcurl: %s; requests are handled, but nothing is "
                     "watched; install it, or write OSProxyWatch Off", missing);
        return OK;
    }
    rv = attach();
    if (rv == APR_SUCCESS) {
        osp_links_init();
        attach_sites(pconf, main_server);
        rv = get(&watchdog, WATCHDOG, 0, 1, pconf);
    }
    if (rv == APR_SUCCESS) {
        rv = add(watchdog, TURN, NULL, turn);
    }
    if (rv != APR_SUCCESS) {
        osp_table = NULL;
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, main_server,
                     "OSP1107: the watcher cannot be set up; requests are handled, nothing is "
                     "watched");
    }
    return OK;
}

void osp_watch_hooks(apr_pool_t *p)
{
    /* mod_watchdog makes the locks of its instances in its own post_config, which has to come after. */
    static const char *const before_watchdog[] = {"mod_watchdog.c", NULL};

    (void)p;
    ap_hook_post_config(prepare, NULL, before_watchdog, APR_HOOK_MIDDLE);
    ap_hook_child_init(begin_child, NULL, NULL, APR_HOOK_MIDDLE);
    osp_mail_hooks(p);
}
