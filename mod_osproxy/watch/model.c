/*
 * model.c: what is wrong, worked out from what the watchers know (model.h). Pure.
 */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------- */

const char *osp_trouble_name(enum osp_trouble_kind kind)
{
    static const char *const names[OSP_TROUBLE_COUNT] = {
        [OSP_TROUBLE_MISSING] = "missing",   [OSP_TROUBLE_FAILING] = "failing",
        [OSP_TROUBLE_RESOURCE] = "resource", [OSP_TROUBLE_VERSIONS] = "versions",
        [OSP_TROUBLE_APP_DOWN] = "app-down",
    };

    return names[kind];
}

const char *osp_cause_text(enum osp_cause cause)
{
    static const char *const texts[OSP_CAUSE_COUNT] = {
        [OSP_CAUSE_NONE] = "nothing",
        [OSP_CAUSE_CACHE] = "a cache keeps an old copy",
        [OSP_CAUSE_REWRITTEN] = "something rewrites the body on its way",
        [OSP_CAUSE_TRUNCATED] = "it is cut off",
        [OSP_CAUSE_VERSION] = "it belongs to another version of the module",
        [OSP_CAUSE_STATUS] = "it is not answered with 200",
        [OSP_CAUSE_UNKNOWN] = "the cause is not known",
    };

    return texts[cause < OSP_CAUSE_COUNT ? cause : OSP_CAUSE_UNKNOWN];
}

const char *osp_module_state_name(enum osp_module_state state)
{
    switch (state) {
    case OSP_MODULE_AVAILABLE:
        return "available";
    case OSP_MODULE_NOT_MAPPED:
        return "not mapped";
    case OSP_MODULE_REFUSED:
        return "refused";
    case OSP_MODULE_UNANSWERED:
        return "unanswered";
    case OSP_MODULE_UNASKABLE:
        return "cannot be asked";
    default:
        return "not asked yet";
    }
}

const char *osp_hindrance_text(enum osp_hindrance hindrance)
{
    static const char *const texts[OSP_HINDRANCE_COUNT] = {
        [OSP_HINDRANCE_NONE] = "nothing",
        [OSP_HINDRANCE_PROXY_PROTOCOL] = "it takes the PROXY protocol",
        [OSP_HINDRANCE_CERTIFICATE] = "it demands client certificates",
        [OSP_HINDRANCE_PASSWORD] = "it asks for a password itself",
    };

    return texts[hindrance < OSP_HINDRANCE_COUNT ? hindrance : OSP_HINDRANCE_NONE];
}

const char *osp_trouble_severity(const osp_trouble *trouble)
{
    return trouble->off ? "off" : trouble->warning ? "warning" : "note";
}

const char *osp_learned_name(enum osp_learned kind)
{
    switch (kind) {
    case OSP_LEARNED_REACTIVE:
        return "reactive";
    case OSP_LEARNED_MOBILE:
        return "mobile";
    case OSP_LEARNED_TRADITIONAL:
        return "traditional";
    default:
        return "unknown";
    }
}

const char *osp_reference_name(enum osp_reference_kind how)
{
    switch (how) {
    case OSP_BY_MANIFEST:
        return "manifest";
    case OSP_BY_LINK:
        return "link";
    case OSP_BY_CSS:
        return "style sheet";
    case OSP_BY_REDIRECT:
        return "redirect";
    default:
        return "failed request";
    }
}

/* ---- troubles ------------------------------------------------------------------------------ */

typedef struct teller {
    const osp_model *model;
    void (*tell)(void *baton, const osp_trouble *trouble);
    void *baton;
    int count;
} teller;

static bool is_present(const osp_model *model, unsigned site)
{
    return site < OSP_MODEL_SITES && model->sites[site].key && model->sites[site].present;
}

/* A cache and a changed body have rules of their own; that what is referred to arrives, in one version,
 * is referenced-content. */
enum osp_rule_id osp_cause_rule(enum osp_cause cause)
{
    switch (cause) {
    case OSP_CAUSE_CACHE:
        return OSP_RULE_NO_CACHE;
    case OSP_CAUSE_REWRITTEN:
    case OSP_CAUSE_TRUNCATED:
    case OSP_CAUSE_UNKNOWN:
        return OSP_RULE_PATH_UNCHANGED;
    default:
        return OSP_RULE_REFERENCED_CONTENT;
    }
}

bool osp_model_is_off(const osp_model *model, int site, enum osp_rule_id rule)
{
    return site >= 0 && site < OSP_MODEL_SITES && (model->sites[site].off & (uint32_t)1 << rule);
}

static void report(teller *to, enum osp_trouble_kind kind, bool warning, osp_trouble trouble)
{
    trouble.kind = kind;
    trouble.rule = trouble.fault >= 0
                       ? osp_cause_rule((enum osp_cause)to->model->faults[trouble.fault].cause)
                       : OSP_RULE_REFERENCED_CONTENT;
    trouble.off = osp_model_is_off(to->model, trouble.site, trouble.rule);
    trouble.warning = warning && !trouble.off;
    to->count++;
    if (to->tell) {
        to->tell(to->baton, &trouble);
    }
}

static osp_trouble about(int site, int module, int64_t since)
{
    return (osp_trouble){.site = site, .module = module, .app = -1, .fault = -1, .reference = -1,
                         .since = since};
}

static unsigned below(uint32_t count, unsigned most)
{
    return count < most ? count : most;
}

/* References by the module that they lead to: how many, and one of them. */
static void count_references(const osp_model *model, uint16_t *count, uint16_t *example)
{
    unsigned i, used = below(model->reference_count, OSP_MODEL_REFERENCES);

    memset(count, 0, OSP_MODEL_MODULES * sizeof *count);
    for (i = 0; i < used; i++) {
        const osp_reference *reference = &model->references[i];

        if (reference->from != reference->to && reference->to < OSP_MODEL_MODULES) {
            if (count[reference->to]++ == 0) {
                example[reference->to] = (uint16_t)i;
            }
        }
    }
}

static void tell_modules(teller *to)
{
    const osp_model *model = to->model;
    uint16_t count[OSP_MODEL_MODULES], example[OSP_MODEL_MODULES];
    unsigned i, used = below(model->module_count, OSP_MODEL_MODULES);
    int pass;

    count_references(model, count, example);
    for (pass = 0; pass < 2; pass++) {
        for (i = 0; i < used; i++) {
            const osp_watched *module = &model->modules[i];
            osp_trouble trouble = about(module->site, (int)i, module->since);

            if (!module->name[0] || !is_present(model, module->site)
                || !(module->declared || count[i] || module->seen)) {
                continue;
            }
            trouble.references = count[i];
            trouble.reference = count[i] ? example[i] : -1;
            if (pass == 0 && (module->declared || count[i])
                && (module->state == OSP_MODULE_NOT_MAPPED
                    || (module->state == OSP_MODULE_REFUSED && module->exists == 1))
                && (module->exists == 1 || module->declared)) {
                report(to, OSP_TROUBLE_MISSING, true, trouble);
            }
            else if (pass == 1 && module->state == OSP_MODULE_UNANSWERED
                     && (module->exists == 1 || (module->declared && module->front_status != 404))) {
                report(to, OSP_TROUBLE_FAILING, true, trouble);
            }
        }
    }
}

/* Another version may be a deployment that has not come to its end. */
static void tell_faults(teller *to, int64_t now, int64_t deploy)
{
    const osp_model *model = to->model;
    int i;

    for (i = 0; i < OSP_MODEL_FAULTS; i++) {
        const osp_fault *fault = &model->faults[i];

        if (fault->cause != OSP_CAUSE_NONE && fault->module < OSP_MODEL_MODULES
            && is_present(model, model->modules[fault->module].site)) {
            osp_trouble trouble = about(model->modules[fault->module].site, fault->module,
                                        fault->since);

            trouble.fault = i;
            trouble.app = fault->app ? fault->app - 1 : -1;
            report(to, OSP_TROUBLE_RESOURCE,
                   fault->cause != OSP_CAUSE_VERSION || now - fault->since >= deploy, trouble);
        }
    }
}

/* The newest change counts: a farm that has just begun to differ may be deploying. */
static void tell_versions(teller *to, int64_t now, int64_t deploy)
{
    const osp_model *model = to->model;
    int16_t first[OSP_MODEL_MODULES];
    int64_t since[OSP_MODEL_MODULES];
    bool differs[OSP_MODEL_MODULES];
    unsigned i, used = below(model->version_count, OSP_MODEL_VERSIONS);

    memset(first, -1, sizeof first);
    memset(differs, 0, sizeof differs);
    for (i = 0; i < used; i++) {
        const osp_version *version = &model->versions[i];
        unsigned m = version->module;

        if (!version->token[0] || m >= OSP_MODEL_MODULES
            || !is_present(model, model->modules[m].site)) {
            continue;
        }
        if (first[m] < 0) {
            first[m] = (int16_t)i;
            since[m] = version->since;
            continue;
        }
        if (strcmp(model->versions[first[m]].token, version->token) != 0) {
            differs[m] = true;
        }
        if (version->since > since[m]) {
            since[m] = version->since;
        }
    }
    for (i = 0; i < OSP_MODEL_MODULES; i++) {
        if (differs[i]) {
            report(to, OSP_TROUBLE_VERSIONS, now - since[i] >= deploy,
                   about(model->modules[i].site, (int)i, since[i]));
        }
    }
}

static void tell_apps(teller *to)
{
    const osp_model *model = to->model;
    int i;

    for (i = 0; i < OSP_MODEL_APPS; i++) {
        const osp_app *app = &model->apps[i];

        if (app->url[0] && app->up == 2 && is_present(model, app->site)) {
            osp_trouble trouble = about(app->site, -1, app->since);

            trouble.app = i;
            report(to, OSP_TROUBLE_APP_DOWN, true, trouble);
        }
    }
}

int osp_model_troubles(const osp_model *model, int64_t now, int64_t deploy,
                       void (*tell)(void *baton, const osp_trouble *trouble), void *baton)
{
    teller to = {model, tell, baton, 0};

    tell_modules(&to);
    tell_faults(&to, now, deploy);
    tell_versions(&to, now, deploy);
    tell_apps(&to);
    return to.count;
}

/* ---- sentences ----------------------------------------------------------------------------- */

/* Foreign text in a sentence is printable ASCII. */
static void say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(char *text, size_t size, const char *format, ...)
{
    va_list values;
    char *c;

    va_start(values, format);
    vsnprintf(text, size, format, values);
    va_end(values);
    for (c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
            *c = '?';
        }
    }
}

/* "/MyApp (manifest, /ImageRepository/img/logo.png)". */
static void say_referrers(const osp_model *model, const osp_trouble *trouble, char *text,
                          size_t size)
{
    const osp_reference *reference;
    const char *from;

    if (trouble->reference < 0) {
        say(text, size, "declared with OSProxyModule");
        return;
    }
    reference = &model->references[trouble->reference];
    from = model->modules[reference->from < OSP_MODEL_MODULES ? reference->from : 0].name;
    if (trouble->references > 1) {
        say(text, size, "referenced by %s (%s: %s) and %d more", from,
            osp_reference_name((enum osp_reference_kind)reference->how), reference->path,
            trouble->references - 1);
    }
    else {
        say(text, size, "referenced by %s (%s: %s)", from,
            osp_reference_name((enum osp_reference_kind)reference->how), reference->path);
    }
}

static void describe_missing(const osp_model *model, const osp_trouble *trouble, char *text,
                             size_t size)
{
    const osp_watched *module = &model->modules[trouble->module];
    const char *site = model->sites[trouble->site].name;
    char referrers[OSP_MODEL_PATH + OSP_MODEL_NAME + 64];

    say_referrers(model, trouble, referrers, sizeof referrers);
    if (module->state == OSP_MODULE_REFUSED) {
        say(text, size, "module %s is not available from outside: %s itself answers %d; %s",
            module->name, site, module->front_status, referrers);
    }
    else {
        say(text, size, "module %s is not available from outside: no mapping of %s leads to an app "
            "server; %s", module->name, site, referrers);
    }
}

static void describe_fault(const osp_model *model, const osp_trouble *trouble, char *text,
                           size_t size)
{
    const osp_fault *fault = &model->faults[trouble->fault];
    const char *where = trouble->app >= 0 ? model->apps[trouble->app].url
                                          : model->sites[trouble->site].name;

    if (fault->cause == OSP_CAUSE_STATUS) {
        say(text, size, "%s of module %s: %s answers %d instead of 200", fault->path,
            model->modules[trouble->module].name, where, fault->status);
    }
    else {
        say(text, size, "%s of module %s is not what its hash says at %s: %s", fault->path,
            model->modules[trouble->module].name, where,
            osp_cause_text((enum osp_cause)fault->cause));
    }
}

/* "http://10.0.0.1 49NN…, http://10.0.0.2 Ab1C…". */
static void describe_versions(const osp_model *model, const osp_trouble *trouble, char *text,
                              size_t size)
{
    unsigned i, used = below(model->version_count, OSP_MODEL_VERSIONS);
    char servers[400];
    size_t at = 0;

    servers[0] = '\0';
    for (i = 0; i < used && at + 1 < sizeof servers; i++) {
        const osp_version *version = &model->versions[i];

        if (version->token[0] && version->module == trouble->module
            && version->app < OSP_MODEL_APPS) {
            int added = snprintf(servers + at, sizeof servers - at, "%s%s %s", at ? ", " : "",
                                 model->apps[version->app].url, version->token);

            at += added > 0 ? (size_t)added : 0;
        }
    }
    say(text, size, "app servers serve different versions of module %s: %s",
        model->modules[trouble->module].name, servers);
}

void osp_model_describe(const osp_model *model, const osp_trouble *trouble, char *text, size_t size)
{
    switch (trouble->kind) {
    case OSP_TROUBLE_MISSING:
        describe_missing(model, trouble, text, size);
        break;
    case OSP_TROUBLE_FAILING: {
        const osp_watched *module = &model->modules[trouble->module];

        if (module->front_status) {
            say(text, size, "module %s answers %d (%s)", module->name, module->front_status,
                module->example);
        }
        else {
            say(text, size, "module %s does not answer (%s)", module->name, module->example);
        }
        break;
    }
    case OSP_TROUBLE_RESOURCE:
        describe_fault(model, trouble, text, size);
        break;
    case OSP_TROUBLE_VERSIONS:
        describe_versions(model, trouble, text, size);
        break;
    default:
        say(text, size, "app server %s of %s does not answer%s", model->apps[trouble->app].url,
            model->sites[trouble->site].name,
            model->apps[trouble->app].status ? " as it should" : "");
        break;
    }
}

static const char *app_of(const osp_model *model, int site)
{
    int i;

    for (i = 0; i < OSP_MODEL_APPS; i++) {
        if (model->apps[i].url[0] && model->apps[i].site == site) {
            return model->apps[i].url;
        }
    }
    return "http://app-server";
}

void osp_model_advise(const osp_model *model, const osp_trouble *trouble, char *text, size_t size)
{
    const osp_watched *module = trouble->module >= 0 ? &model->modules[trouble->module] : NULL;
    const osp_fault *fault = trouble->fault >= 0 ? &model->faults[trouble->fault] : NULL;

    switch (trouble->kind) {
    case OSP_TROUBLE_MISSING:
        if (module->state == OSP_MODULE_REFUSED) {
            say(text, size, "let clients reach /%s/: look for Require, RewriteRule [F] and "
                "ProxyPass ! that concern it", module->name);
        }
        else {
            say(text, size, "ProxyPass \"/%s/\" \"%s/%s/\" ttl=60", module->name,
                app_of(model, trouble->site), module->name);
        }
        break;
    case OSP_TROUBLE_FAILING:
        say(text, size, "look at the module in Service Center, and at the app server's own log");
        break;
    case OSP_TROUBLE_RESOURCE:
        if (fault->cause == OSP_CAUSE_CACHE) {
            say(text, size, "take the cache off: CacheDisable on, or OSProxyRule no-cache enforce");
        }
        else if (fault->cause == OSP_CAUSE_REWRITTEN) {
            say(text, size, "keep Substitute, mod_proxy_html, mod_sed, mod_ext_filter and injecting "
                "hops away from Reactive and Mobile modules");
        }
        else if (fault->cause == OSP_CAUSE_VERSION) {
            say(text, size, "publish the module again to this server (Service Center, Front-end "
                "Servers), or take it out of the farm");
        }
        else {
            say(text, size, "compare the answer at the proxy with the app server's own");
        }
        break;
    case OSP_TROUBLE_VERSIONS:
        say(text, size, "wait for the deployment to end, or publish the module again to the servers "
            "that stayed behind");
        break;
    default:
        say(text, size, "start the server, or take it out of the balancer");
        break;
    }
}
