/*
 * farm.c: what the watcher asks: does the front door hand each module on, do the app servers have it,
 * which version do they serve, and are its resources what their hashes say (rules referenced-content,
 * no-cache and path-unchanged).
 *
 * A module is asked for twice a minute, sooner while something is wrong with it, as far as the budget of
 * requests (OSProxyWatch) goes. Kinds are learned from app servers only, never from what a client sent, and one
 * that makes a rule laxer (Traditional) only when two rounds agree.
 */
#include "apr_strings.h"
#include "http_core.h"

#include "parse/links.h"
#include "parse/manifest.h"
#include "parse/resource_hash.h"
#include "parse/url.h"
#include "watch/watch.h"

#define OFTEN 8            /* seconds between two rounds of a module with a trouble */
#define SELDOM 30          /* and of one without */
#define REREAD 5            /* seconds between two looks at the configuration's balancers */
#define KEEP_FAULT 600     /* seconds that a fault stands which nobody could look at again */
#define SAMPLE 12          /* resources of a manifest in one round */
#define LEAST 4            /* for which there must be requests left, or the round waits */
#define EARLY 4            /* rounds in which a module whose kind is unknown is asked often */
#define BURST 4            /* so much of a minute's requests may be saved up: a quarter */
#define PAGE_BYTES 65536
#define MANIFEST_BYTES (4 * 1024 * 1024)
#define RESOURCE_BYTES (2 * 1024 * 1024)
#define MOST_APPS 16       /* of a site that are asked in one round */

typedef struct memory {    /* of this child, by module */
    apr_uint32_t offset;   /* where the next sample of its manifest begins */
    apr_byte_t traditional; /* rounds in which it looked Traditional */
    apr_byte_t rounds;     /* EARLY at most */
} memory;

static memory remembered[OSP_MODEL_MODULES];
static apr_time_t budget_at, read_at;
static double budget;
static unsigned next_module;

typedef struct visit {
    osp_prober *prober;
    apr_pool_t *p;          /* of one module's round */
    const osp_site_conf *conf;
    const osp_site *site;
    int site_at, module_at;
    osp_watched *module;    /* in the shared table */
    int apps[MOST_APPS], app_count; /* indexes */
    char tokens[MOST_APPS][OSP_MODEL_TOKEN]; /* of those, "" unknown */
} visit;

/* ---- the configuration --------------------------------------------------------------------------- */

/* A back end behind a Unix socket has no address that could be asked. */
static int is_in_use(const proxy_worker *worker)
{
    return !*worker->s->uds_path && !(worker->s->status & (PROXY_WORKER_DISABLED | PROXY_WORKER_STOPPED));
}

/* farms: the balancer that says so, or 0. */
static void learn_app(int site, apr_pool_t *p, const char *url, apr_uint64_t farms)
{
    osp_model *model = &osp_table->model;
    apr_uri_t uri;
    const char *scheme, *text;
    int i, empty = -1;

    if (apr_uri_parse(p, url, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname) {
        return;
    }
    if (strcmp(uri.scheme, "https") == 0 || strcmp(uri.scheme, "h2") == 0) {
        scheme = "https";
    }
    else if (strcmp(uri.scheme, "http") == 0 || strcmp(uri.scheme, "h2c") == 0) {
        scheme = "http";
    }
    else {
        return;
    }
    text = uri.port_str && *uri.port_str
           ? apr_psprintf(p, strchr(uri.hostname, ':') ? "%s://[%s]:%s" : "%s://%s:%s", scheme,
                          uri.hostname, uri.port_str)
           : apr_psprintf(p, strchr(uri.hostname, ':') ? "%s://[%s]" : "%s://%s", scheme,
                          uri.hostname);
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        osp_app *app = &model->apps[i];

        if (app->url[0] && app->site == site && strcmp(app->url, text) == 0) {
            app->farms |= farms;
            return;
        }
        empty = !app->url[0] && empty < 0 ? i : empty;
    }
    if (empty < 0 || strlen(text) >= OSP_MODEL_HOST) {
        model->dropped++;
        return;
    }
    memset(&model->apps[empty], 0, sizeof model->apps[empty]);
    model->apps[empty].site = (apr_uint16_t)site;
    model->apps[empty].farms = farms;
    apr_cpystrn(model->apps[empty].url, text, OSP_MODEL_HOST);
}

/* A member that was taken out of the farm is asked no more. */
static void forget_app(int at)
{
    osp_model *model = &osp_table->model;
    unsigned i;

    for (i = 0; i < model->version_count; i++) {
        if (model->versions[i].app == at) {
            memset(&model->versions[i], 0, sizeof model->versions[i]);
        }
    }
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        if (model->faults[i].app == at + 1) {
            memset(&model->faults[i], 0, sizeof model->faults[i]);
        }
    }
    memset(&model->apps[at], 0, sizeof model->apps[at]);
}

static int worker_is(const proxy_worker *worker, const char *url, apr_pool_t *p)
{
    apr_uri_t a, b;

    return apr_uri_parse(p, worker->s->name, &a) == APR_SUCCESS
           && apr_uri_parse(p, url, &b) == APR_SUCCESS && a.hostname && b.hostname
           && strcasecmp(a.hostname, b.hostname) == 0
           && (a.port ? a.port : apr_uri_port_of_scheme(a.scheme))
              == (b.port ? b.port : apr_uri_port_of_scheme(b.scheme));
}

/* Members by site; a worker outside a balancer is in use as long as it is written. */
static void sync_apps(int site, apr_pool_t *p, server_rec *s)
{
    const proxy_server_conf *proxy = ap_get_module_config(s->module_config, &proxy_module);
    int i, j, at;

    if (!proxy) {
        return;
    }
    for (at = 0; at < OSP_MODEL_APPS; at++) {
        osp_app *app = &osp_table->model.apps[at];
        int gone = 0;

        app->farms = app->site == site ? 0 : app->farms;

        for (i = 0; app->url[0] && app->site == site && i < proxy->balancers->nelts; i++) {
            const proxy_balancer *balancer = &APR_ARRAY_IDX(proxy->balancers, i, proxy_balancer);

            for (j = 0; j < balancer->workers->nelts; j++) {
                const proxy_worker *worker = APR_ARRAY_IDX(balancer->workers, j, proxy_worker *);

                gone = gone || (!is_in_use(worker) && worker_is(worker, app->url, p));
            }
        }
        if (gone) {
            forget_app(at);
        }
    }
    for (i = 0; i < proxy->balancers->nelts; i++) {
        const proxy_balancer *balancer = &APR_ARRAY_IDX(proxy->balancers, i, proxy_balancer);

        for (j = 0; j < balancer->workers->nelts; j++) {
            const proxy_worker *worker = APR_ARRAY_IDX(balancer->workers, j, proxy_worker *);

            if (is_in_use(worker)) {
                learn_app(site, p, worker->s->name, (apr_uint64_t)1 << (i % 64));
            }
        }
    }
    for (i = 0; i < proxy->workers->nelts; i++) {
        const proxy_worker *worker = &APR_ARRAY_IDX(proxy->workers, i, proxy_worker);

        if (is_in_use(worker) && !strchr(worker->s->name, '*')) {
            learn_app(site, p, worker->s->name, 0);
        }
    }
}

static void sync_modules(int site, const server_rec *s)
{
    const apr_array_header_t *declared = osp_server_conf_get(s)->modules;
    osp_model *model = &osp_table->model;
    unsigned i;
    int at, d;

    for (i = 0; i < model->module_count; i++) {
        model->modules[i].declared = model->modules[i].site == site ? 0 : model->modules[i].declared;
    }
    for (d = 0; declared && d < declared->nelts; d++) {
        const osp_module *module = &APR_ARRAY_IDX(declared, d, osp_module);

        at = osp_learn_module(site, module->name, strlen(module->name), 1);
        if (at >= 0) {
            model->modules[at].declared = 1;
            if (module->kind != OSP_KIND_UNKNOWN) {
                model->modules[at].kind = (apr_byte_t)module->kind;
            }
        }
    }
}

static void read_configuration(const osp_site_conf *sites, apr_pool_t *p)
{
    int i;

    osp_model_begin();
    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (sites[i].server) {
            sync_modules(i, sites[i].server);
            sync_apps(i, p, sites[i].server);
        }
    }
    for (i = 0; i < OSP_MODEL_APPS; i++) {
        if (osp_table->model.apps[i].url[0] && !osp_table->model.sites[osp_table->model.apps[i].site].present) {
            forget_app(i);
        }
    }
    osp_model_end();
}

/* ---- questions ------------------------------------------------------------------------------------- */

static void ask_front(visit *a, const char *path, apr_size_t most, osp_answer *answer)
{
    budget -= 1;
    osp_probe(a->prober, a->p, a->conf->https ? "https://" : "http://", a->conf->connect,
              a->site->name, path, 1, a->conf->https, most, answer);
}

static void ask_app(visit *a, int i, const char *path, apr_size_t most, osp_answer *answer)
{
    osp_app *app = &osp_table->model.apps[a->apps[i]];
    int up;

    budget -= 1;
    osp_probe(a->prober, a->p, app->url, NULL, a->site->name, path, 0, a->conf->https, most, answer);
    if (osp_watch_is_stopping()) {
        return;
    }
    up = answer->status ? 1 : 2;
    osp_model_begin();
    app->checked = apr_time_sec(apr_time_now());
    app->status = (apr_uint16_t)answer->status;
    if (app->up != up) {
        app->up = (apr_byte_t)up;
        app->since = app->checked;
    }
    osp_model_end();
}

static const char *module_path(const visit *a, const char *rest)
{
    return apr_pstrcat(a->p, "/", a->module->name, rest, NULL);
}

static const char *version_path(const visit *a)
{
    return apr_psprintf(a->p, "/%s/moduleservices/moduleversioninfo?%" APR_TIME_T_FMT, a->module->name,
                        apr_time_as_msec(apr_time_now()));
}

/* ---- available? -------------------------------------------------------------------------------------- */

static int is_plain_example(const osp_watched *module)
{
    apr_size_t length = strlen(module->name);

    return strncmp(module->example + 1, module->name, length) == 0
           && strcmp(module->example + 1 + length, "/") == 0;
}

/* Why the answer tells nothing. A section that demands a certificate ends the connection (TLS 1.2), or
 * answers 403. */
static enum osp_hindrance hindrance_of(const visit *a, const osp_answer *answer)
{
    if (a->site->hindrance) {
        return (enum osp_hindrance)a->site->hindrance;
    }
    if (!answer->way && a->conf->certificates
        && (!answer->status || answer->status == HTTP_FORBIDDEN)) {
        return OSP_HINDRANCE_CERTIFICATE;
    }
    return !answer->way && answer->status == HTTP_UNAUTHORIZED ? OSP_HINDRANCE_PASSWORD
                                                               : OSP_HINDRANCE_NONE;
}

static enum osp_module_state judge(const visit *a, const osp_answer *answer)
{
    if (hindrance_of(a, answer)) {
        return OSP_MODULE_UNASKABLE;
    }
    if (!answer->status) {
        return OSP_MODULE_UNANSWERED;
    }
    if (!answer->way) {
        return answer->status == HTTP_NOT_FOUND || answer->status == HTTP_OK ? OSP_MODULE_NOT_MAPPED
                                                                             : OSP_MODULE_REFUSED;
    }
    if (answer->status >= HTTP_INTERNAL_SERVER_ERROR
        || (answer->status == HTTP_NOT_FOUND && !is_plain_example(a->module))) {
        return OSP_MODULE_UNANSWERED;
    }
    return OSP_MODULE_AVAILABLE;
}

static void set_state(visit *a, enum osp_module_state state, const osp_answer *answer)
{
    osp_watched *module = a->module;
    apr_int64_t now = apr_time_sec(apr_time_now());

    osp_model_begin();
    if (module->state != state) {
        module->state = (apr_byte_t)state;
        module->since = now;
    }
    module->checked = now;
    module->hindrance = (apr_byte_t)hindrance_of(a, answer);
    module->front_status = (apr_uint16_t)answer->status;
    if (answer->way) {
        apr_cpystrn(module->to, answer->way, sizeof module->to);
        learn_app(a->site_at, a->p, answer->way, 0);
    }
    osp_model_end();
}

static void set_exists(visit *a, int exists)
{
    osp_model_begin();
    a->module->exists = (apr_byte_t)exists;
    osp_model_end();
}

/* ---- versions and kinds ------------------------------------------------------------------------------ */

static void set_version(int app, int module, const char *token)
{
    osp_model *model = &osp_table->model;
    apr_int64_t now = apr_time_sec(apr_time_now());
    osp_version *at, *empty = NULL;
    unsigned i;

    osp_model_begin();
    for (i = 0; i < model->version_count; i++) {
        at = &model->versions[i];
        if (at->token[0] && at->app == app && at->module == module) {
            break;
        }
        empty = !at->token[0] && !empty ? at : empty;
    }
    if (i == model->version_count) {
        if (!empty && model->version_count < OSP_MODEL_VERSIONS) {
            empty = &model->versions[model->version_count++];
        }
        at = empty;
    }
    if (!at) {
        model->dropped++;
    }
    else {
        at->app = (apr_uint16_t)app;
        at->module = (apr_uint16_t)module;
        if (strcmp(at->token, token) != 0) {
            apr_cpystrn(at->token, token, sizeof at->token);
            at->since = now;
        }
        at->checked = now;
    }
    osp_model_end();
}

static void forget_version(int app, int module)
{
    osp_model *model = &osp_table->model;
    unsigned i;

    for (i = 0; i < model->version_count; i++) {
        osp_version *at = &model->versions[i];

        if (at->token[0] && at->app == app && at->module == module) {
            osp_model_begin();
            memset(at, 0, sizeof *at);
            osp_model_end();
            return;
        }
    }
}

/* What the rules read, osp_watch_kind(). */
static void publish_kind_at(int site, const osp_module_name *name, enum osp_learned kind)
{
    apr_uint64_t key = osp_watch_kind_key(site, name);
    unsigned i, at = (unsigned)(key >> 20) % OSP_KIND_PLACES;

    for (i = 0; i < 8; i++) {
        apr_uint64_t *entry = &osp_table->kinds[(at + i) % OSP_KIND_PLACES];

        if (!*entry || (*entry & ~(apr_uint64_t)3) == key) {
            __atomic_store_n(entry, key | (apr_uint64_t)kind, __ATOMIC_RELAXED);
            return;
        }
    }
}

/* On plain http of the same name as well, which domain-https sends to https by it. */
static void publish_kind(const visit *a, const osp_module_name *name, enum osp_learned kind)
{
    int i;

    for (i = 0; i < OSP_MODEL_SITES; i++) {
        if (i == a->site_at || osp_table->model.sites[i].twin == 1 + a->site_at) {
            publish_kind_at(i, name, kind);
        }
    }
}

static void set_kind(visit *a, enum osp_learned kind)
{
    osp_module_name name = osp_module_name_of(a->module->name);
    const osp_module *declared = osp_module_find(osp_server_conf_get(a->conf->server), &name);

    publish_kind(a, &name, kind);
    if (declared && declared->kind != OSP_KIND_UNKNOWN) {
        return;
    }
    osp_model_begin();
    a->module->kind = (apr_byte_t)kind;
    osp_model_end();
}

/* Asks each app server for the module's version; how many have one. */
static int ask_versions(visit *a)
{
    int i, known = 0;

    for (i = 0; i < a->app_count; i++) {
        osp_answer answer;
        char token[OSP_VERSION_TOKEN];

        ask_app(a, i, version_path(a), PAGE_BYTES, &answer);
        if (answer.status == HTTP_OK
            && osp_version_token_read((osp_span){answer.body, answer.length}, token)) {
            apr_cpystrn(a->tokens[i], token, OSP_MODEL_TOKEN);
            set_version(a->apps[i], a->module_at, token);
            known++;
        }
        else if (answer.status) {
            forget_version(a->apps[i], a->module_at);
        }
    }
    return known;
}

/* A module without a version is Traditional when its page says so. */
static void ask_whether_traditional(visit *a)
{
    osp_answer answer;
    const char *path = is_plain_example(a->module) ? module_path(a, "/") : a->module->example;
    unsigned signs = 0;
    memory *before = &remembered[a->module_at];
    int i;

    for (i = 0; i < a->app_count && osp_table->model.apps[a->apps[i]].up != 1; i++) {
    }
    if (i == a->app_count) {
        return;
    }
    ask_app(a, i, path, PAGE_BYTES, &answer);
    if (answer.status == HTTP_NOT_FOUND || answer.status == HTTP_GONE) {
        set_exists(a, 2);
        before->traditional = 0;
        return;
    }
    if (!answer.status || answer.status >= HTTP_INTERNAL_SERVER_ERROR) {
        return;
    }
    set_exists(a, 1);
    if (answer.status == HTTP_OK) {
        signs = osp_learn_page(a->site_at, path, (osp_span){answer.body, answer.length}, 0, 0);
    }
    if ((signs & OSP_SIGN_TRADITIONAL)
        || (answer.location && strstr(answer.location, ".aspx"))) {
        if (before->traditional < 2) {
            before->traditional++;
        }
        if (before->traditional == 2) {
            set_kind(a, OSP_LEARNED_TRADITIONAL);
        }
    }
}

/* ---- faults --------------------------------------------------------------------------------------------- */

/* app: -1 the front door. cause OSP_CAUSE_NONE clears. */
static void set_fault(visit *a, int app, const char *path, enum osp_cause cause, int status)
{
    osp_model *model = &osp_table->model;
    apr_int64_t now = apr_time_sec(apr_time_now());
    osp_fault *at, *empty = NULL;
    int i;

    osp_model_begin();
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        at = &model->faults[i];
        if (at->cause == OSP_CAUSE_NONE) {
            empty = empty ? empty : at;
        }
        else if (at->module == a->module_at && at->app == app + 1
                 && strncmp(at->path, path, sizeof at->path - 1) == 0) {
            break;
        }
    }
    if (i == OSP_MODEL_FAULTS) {
        if (cause == OSP_CAUSE_NONE || !empty) {
            model->dropped += cause != OSP_CAUSE_NONE;
            osp_model_end();
            return;
        }
        at = empty;
        memset(at, 0, sizeof *at);
        at->since = now;
    }
    at->module = (apr_uint16_t)a->module_at;
    at->app = (apr_uint16_t)(app + 1);
    at->cause = (apr_byte_t)cause;
    at->status = (apr_uint16_t)status;
    apr_cpystrn(at->path, path, sizeof at->path);
    at->checked = now;
    osp_model_end();
}

static void drop_old_faults(void)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    int i;

    osp_model_begin();
    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        osp_fault *at = &osp_table->model.faults[i];

        if (at->cause != OSP_CAUSE_NONE && now - at->checked > KEEP_FAULT) {
            memset(at, 0, sizeof *at);
        }
    }
    osp_model_end();
}

static int has_fault(const visit *a, const char *path)
{
    int i;

    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        const osp_fault *at = &osp_table->model.faults[i];

        if (at->cause != OSP_CAUSE_NONE && at->module == a->module_at
            && strncmp(at->path, path, sizeof at->path - 1) == 0) {
            return 1;
        }
    }
    return 0;
}

static void hash_of(const osp_answer *answer, char out[OSP_RESOURCE_HASH_LENGTH + 1])
{
    osp_resource_hash hash = {0};

    out[0] = '\0';
    if (osp_resource_hash_begin(&hash)) {
        osp_resource_hash_update(&hash, (osp_span){answer->body, answer->length});
        osp_resource_hash_end(&hash, out);
    }
}

/* Whether a body is what the hash means. */
static int is_meant(const osp_answer *answer, const char *hash)
{
    char own[OSP_RESOURCE_HASH_LENGTH + 1];

    hash_of(answer, own);
    return answer->status == HTTP_OK && !answer->cut
           && (strcmp(own, hash) == 0
               || osp_resource_token_is((osp_span){answer->body, answer->length},
                                        osp_span_of(hash)));
}

static int same_body(const osp_answer *a, const osp_answer *b)
{
    return a->length == b->length && memcmp(a->body, b->body, a->length) == 0;
}

/* Why the front door's answer is not what the hash means, when `good` is one that is. */
static enum osp_cause cause_of(const osp_answer *front, const osp_answer *good, int is_of_other)
{
    if (front->status != HTTP_OK) {
        return OSP_CAUSE_STATUS;
    }
    if (is_of_other) {
        return OSP_CAUSE_VERSION;
    }
    if (front->aged) {
        return OSP_CAUSE_CACHE;
    }
    if (good && (front->cut || (front->length < good->length
                                && memcmp(front->body, good->body, front->length) == 0))) {
        return OSP_CAUSE_TRUNCATED;
    }
    return good ? OSP_CAUSE_REWRITTEN : OSP_CAUSE_UNKNOWN;
}

/* One resource, at the front door and at each app server. token: of the manifest. Returns 1 when it is
 * as it should be everywhere. */
static int verify(visit *a, const char *path, const char *hash, const char *token)
{
    const char *target = apr_pstrcat(a->p, path, "?", hash, NULL);
    osp_answer front, app[MOST_APPS];
    const osp_answer *good = NULL;
    int i, meant, is_of_other = 0, all = 1;

    ask_front(a, target, RESOURCE_BYTES, &front);
    if (osp_watch_is_stopping() || !front.status || front.length == RESOURCE_BYTES
        || (front.status >= HTTP_BAD_GATEWAY && front.status <= HTTP_GATEWAY_TIME_OUT)) {
        return 0; /* not answered is told of the module and its servers; too large to judge */
    }
    meant = is_meant(&front, hash);
    for (i = 0; i < a->app_count && !osp_watch_is_stopping(); i++) {
        ask_app(a, i, target, RESOURCE_BYTES, &app[i]);
        if (!app[i].status || app[i].length == RESOURCE_BYTES) {
            continue;
        }
        if (is_meant(&app[i], hash)) {
            good = good ? good : &app[i];
            set_fault(a, a->apps[i], path, OSP_CAUSE_NONE, 0);
            continue;
        }
        all = 0;
        is_of_other = is_of_other || (!meant && same_body(&front, &app[i]));
        set_fault(a, a->apps[i], path,
                  a->tokens[i][0] && strcmp(a->tokens[i], token) != 0 ? OSP_CAUSE_VERSION
                  : app[i].status != HTTP_OK                          ? OSP_CAUSE_STATUS
                                                                      : OSP_CAUSE_UNKNOWN,
                  app[i].status);
    }
    if (osp_watch_is_stopping()) {
        return 0;
    }
    /* What an app server itself serves wrongly is told of that server. */
    set_fault(a, -1, path, meant || is_of_other ? OSP_CAUSE_NONE : cause_of(&front, good, is_of_other),
              front.status);
    return meant && all;
}

/* ---- a manifest -------------------------------------------------------------------------------------------- */

typedef struct resource {
    const char *path, *hash;
} resource;

typedef struct listing {
    visit *a;
    apr_array_header_t *resources; /* of this module */
} listing;

static void on_resource(void *baton, osp_span path, osp_span hash)
{
    listing *list = baton;
    visit *a = list->a;
    osp_span name = osp_url_module(path);
    resource *one;

    if (!name.n || !osp_resource_hash_is(hash)) {
        return;
    }
    if (!osp_span_eq_nocase(name, a->module->name)) {
        char text[OSP_MODEL_PATH];

        apr_snprintf(text, sizeof text, "%.*s", (int)path.n, path.p);
        osp_model_begin();
        osp_learn_reference(a->module_at, osp_learn_module(a->site_at, name.p, name.n, 1),
                            OSP_BY_MANIFEST, text);
        osp_model_end();
    }
    one = apr_array_push(list->resources);
    one->path = apr_pstrmemdup(a->p, path.p, path.n);
    one->hash = apr_pstrmemdup(a->p, hash.p, hash.n);
}

static void on_module(void *baton, osp_span name)
{
    listing *list = baton;
    visit *a = list->a;

    if (osp_url_module_is(name) && !osp_span_eq_nocase(name, a->module->name)) {
        osp_model_begin();
        osp_learn_reference(a->module_at, osp_learn_module(a->site_at, name.p, name.n, 1),
                            OSP_BY_MANIFEST, apr_psprintf(a->p, "/%.*s/", (int)name.n, name.p));
        osp_model_end();
    }
}

static void verify_some(visit *a, const apr_array_header_t *resources, const char *token)
{
    memory *mine = &remembered[a->module_at];
    apr_uint32_t verified = 0;
    int i, asked = 0, sample = OSP_MIN(SAMPLE, resources->nelts);

    for (i = 0; i < resources->nelts && !osp_watch_is_stopping(); i++) {
        const resource *one = &APR_ARRAY_IDX(resources, i, resource);

        if (has_fault(a, one->path)) {
            verified += (apr_uint32_t)verify(a, one->path, one->hash, token);
            asked++;
        }
    }
    /* One at least, however few requests there may be: a budget that was overdrawn pauses the next round. */
    for (i = 0; asked < sample && i < sample && (!asked || budget > 0) && !osp_watch_is_stopping();
         i++, asked++) {
        const resource *one = &APR_ARRAY_IDX(
            resources, (int)(mine->offset++ % (apr_uint32_t)resources->nelts), resource);

        verified += (apr_uint32_t)verify(a, one->path, one->hash, token);
    }
    osp_model_begin();
    a->module->resources = (apr_uint32_t)resources->nelts;
    a->module->verified = OSP_MIN(a->module->verified + verified, a->module->resources);
    if (verified < (apr_uint32_t)asked) {
        a->module->verified = verified;
    }
    osp_model_end();
}

/* The manifest that the front door hands out, what it refers to, and a sample of its resources. */
static void ask_manifest(visit *a)
{
    osp_answer answer;
    osp_manifest manifest;
    listing list = {a, apr_array_make(a->p, 64, sizeof(resource))};
    osp_manifest_sink sink = {on_resource, on_module, &list};
    char token[OSP_VERSION_TOKEN];
    const char *path = module_path(a, "/moduleservices/moduleversioninfo");
    int i, known = 0, shared = 0;

    ask_front(a, version_path(a), PAGE_BYTES, &answer);
    if (answer.status != HTTP_OK
        || !osp_version_token_read((osp_span){answer.body, answer.length}, token)) {
        return;
    }
    for (i = 0; i < a->app_count; i++) {
        known += a->tokens[i][0] != '\0';
        shared += a->tokens[i][0] && strcmp(a->tokens[i], token) == 0;
    }
    if (known) {
        set_fault(a, -1, path, shared ? OSP_CAUSE_NONE : OSP_CAUSE_CACHE, answer.status);
    }
    ask_front(a, apr_pstrcat(a->p, module_path(a, "/moduleservices/moduleinfo?"), token, NULL),
              MANIFEST_BYTES, &answer);
    if (answer.status != HTTP_OK
        || !osp_manifest_read((osp_span){answer.body, answer.length}, &sink, &manifest)) {
        return;
    }
    osp_model_begin();
    apr_cpystrn(a->module->token, manifest.token[0] ? manifest.token : token,
                sizeof a->module->token);
    osp_model_end();
    if (manifest.is_mobile) {
        set_kind(a, OSP_LEARNED_MOBILE);
    }
    if (list.resources->nelts) {
        /* through a balancer it may come from another server than its version */
        verify_some(a, list.resources, manifest.token[0] ? manifest.token : token);
    }
}

/* ---- rounds --------------------------------------------------------------------------------------------------- */

/* Whether two servers may serve one farm: members of one balancer, or servers outside of all. */
static int same_farm(const osp_app *a, const osp_app *b)
{
    return (a->farms & b->farms) || (!a->farms && !b->farms);
}

/* The server that the front door hands the module on to, NULL when that is not known. */
static const osp_app *server_of(const visit *a)
{
    int i;

    for (i = 0; a->module->to[0] && i < OSP_MODEL_APPS; i++) {
        const osp_app *app = &osp_table->model.apps[i];

        if (app->site == a->site_at && strcmp(app->url, a->module->to) == 0) {
            return app;
        }
    }
    return NULL;
}

/* The app servers of the module's farm. Another farm's version of it is nobody's business here. */
static void gather_apps(visit *a)
{
    const osp_app *server = server_of(a);
    int i;

    a->app_count = 0;
    for (i = 0; i < OSP_MODEL_APPS && a->app_count < MOST_APPS; i++) {
        const osp_app *app = &osp_table->model.apps[i];

        if (!app->url[0] || app->site != a->site_at) {
            continue;
        }
        if (server && !same_farm(server, app)) {
            forget_version(i, a->module_at);
            continue;
        }
        a->tokens[a->app_count][0] = '\0';
        a->apps[a->app_count++] = i;
    }
}

static void go(visit *a)
{
    osp_answer answer = {0};
    enum osp_module_state state;
    int versions;

    if (!a->site->hindrance) {
        ask_front(a, a->module->example, PAGE_BYTES, &answer);
    }
    if (osp_watch_is_stopping()) {
        return;
    }
    state = judge(a, &answer);
    set_state(a, state, &answer);
    gather_apps(a);
    versions = ask_versions(a);
    if (versions) {
        remembered[a->module_at].traditional = 0;
        set_exists(a, 1);
        if (a->module->kind != OSP_LEARNED_MOBILE) {
            set_kind(a, OSP_LEARNED_REACTIVE);
        }
        if (state == OSP_MODULE_AVAILABLE && !osp_watch_is_stopping()) {
            ask_manifest(a);
        }
    }
    else if (!osp_watch_is_stopping()) {
        ask_whether_traditional(a);
    }
}

/* What no app server has is nobody's trouble. */
static int is_due(unsigned at, apr_int64_t now)
{
    const osp_watched *module = &osp_table->model.modules[at];
    int bad = module->exists != 2
              && ((module->state != OSP_MODULE_AVAILABLE && module->state != OSP_MODULE_UNASKABLE)
                  || (module->kind == OSP_LEARNED_NOTHING && remembered[at].rounds < EARLY));

    return module->name[0] && now - module->checked >= (bad ? OFTEN : SELDOM);
}

static int next_due(const osp_site_conf *sites, apr_int64_t now)
{
    const osp_model *model = &osp_table->model;
    unsigned i, count = model->module_count;

    for (i = 0; i < count; i++) {
        unsigned at = (next_module + i) % count;

        if (model->modules[at].site < OSP_MODEL_SITES && sites[model->modules[at].site].server
            && is_due(at, now)) {
            return (int)at;
        }
    }
    return -1;
}

/* Requests of a round that is worth beginning: else the last in turn would never get to its resources. */
static double least_of(const osp_watched *module)
{
    int i, doors = 1;

    for (i = 0; i < OSP_MODEL_APPS; i++) {
        doors += osp_table->model.apps[i].url[0] && osp_table->model.apps[i].site == module->site;
    }
    doors = OSP_MIN(doors, 1 + MOST_APPS);
    return module->kind == OSP_LEARNED_REACTIVE || module->kind == OSP_LEARNED_MOBILE
           ? 2 + (1 + LEAST) * doors : 1 + doors;
}

static double burst_of(const server_rec *s)
{
    int rate = osp_server_conf_get(s)->watch;
    double burst = (double)(rate > 0 ? rate : OSP_WATCH_RATE) / BURST;

    return burst < 1 ? 1 : burst;
}

static void refill(const server_rec *s)
{
    apr_time_t now = apr_time_now();
    double burst = burst_of(s);

    if (budget_at) {
        budget += burst * BURST / 60 * ((double)(now - budget_at) / APR_USEC_PER_SEC);
    }
    if (!budget_at || budget > burst) {
        budget = burst;
    }
    budget_at = now;
}

static void start_check(void)
{
    osp_model *model = &osp_table->model;
    unsigned i;

    osp_model_begin();
    for (i = 0; i < model->module_count; i++) {
        model->modules[i].checked = 0;
    }
    osp_model_end();
}

void osp_farm_begin(void)
{
    budget_at = 0;
    read_at = 0;
    osp_learn_begin();
    memset(remembered, 0, sizeof remembered);
}

void osp_farm_step(osp_prober *prober, apr_pool_t *p, const osp_site_conf *sites)
{
    static apr_uint32_t under_way;
    osp_model *model = &osp_table->model;
    apr_time_t began = apr_time_now();
    int at;

    refill(ap_server_conf);
    if (!read_at || began - read_at >= apr_time_from_sec(REREAD)) {
        read_configuration(sites, p);
        drop_old_faults();
        read_at = began;
    }
    if (model->asked != model->answered && (!under_way || under_way == model->answered)) {
        under_way = model->asked;
        start_check();
    }
    at = next_due(sites, apr_time_sec(began));
    if (at < 0 && under_way && under_way != model->answered) {
        model->answered_at = apr_time_sec(began);
        model->answered = under_way;
    }
    while (at >= 0 && budget >= OSP_MIN(least_of(&model->modules[at]), burst_of(ap_server_conf))
           && !osp_watch_is_stopping() && apr_time_now() - began < apr_time_from_sec(5)) {
        int site = model->modules[at].site;
        visit a = {.prober = prober, .conf = &sites[site], .site = &model->sites[site],
                   .site_at = site, .module_at = at, .module = &model->modules[at]};

        next_module = (unsigned)at + 1;
        apr_pool_create(&a.p, p);
        go(&a);
        apr_pool_destroy(a.p);
        if (remembered[at].rounds < EARLY) {
            remembered[at].rounds++;
        }
        at = next_due(sites, apr_time_sec(apr_time_now()));
    }
}
