/*
 * trace.c: what the module knows of a request, for access logs and conditions.
 *
 *   %{word}^OS        in a LogFormat: text, escaped as mod_log_config escapes; `-` for nothing
 *   %{word}^OJ        the same as a JSON value (RFC 8259), quotes included; null for nothing
 *   %{OSPROXY_WORD}   in an expression: CustomLog … "expr=…", <If>, Header … "expr=…"
 *
 * httpd's own items write \xhh for what is not printable, which no JSON has: %{i:Name}^OJ and its like
 * write header fields, environment and notes so that any line can be parsed. Nothing is worked out
 * before somebody asks for it. An internal redirect is one request here, from its first to its last.
 */
#include "ap_expr.h"
#include "apr_hooks.h"
#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "mod_log_config.h"

#include "audit/encode.h"
#include "osproxy.h"

/* ---- the words ---------------------------------------------------------------------------------- */

/* Each takes the first request of a chain of internal redirects; NULL: nothing to tell. */

static const char *module_of(request_rec *r)
{
    osp_module_name name = osp_module_name_of(r->uri ? r->uri : "");
    const osp_module *declared = osp_module_find(osp_server_conf_get(r->server), &name);

    if (declared) {
        return declared->name;
    }
    return name.n ? apr_pstrmemdup(r->pool, name.p, name.n) : NULL;
}

static const char *kind_of(request_rec *r)
{
    static const char *const names[] = {
        [OSP_KIND_UNKNOWN] = NULL,
        [OSP_KIND_REACTIVE] = "reactive",
        [OSP_KIND_MOBILE] = "mobile",
        [OSP_KIND_TRADITIONAL] = "traditional",
    };

    return r->uri ? names[osp_request_kind(r)] : NULL;
}

static const char *client_of(request_rec *r)
{
    return osp_client_is_internal(r) ? "internal" : "external";
}

static const char *note_of(request_rec *r, const char *name)
{
    const char *value = NULL;

    for (; r; r = r->next) {
        const char *found = apr_table_get(r->notes, name);

        value = found ? found : value;
    }
    return value;
}

static const char *pin_of(request_rec *r)
{
    return note_of(r, "OSPROXY_PIN");
}

static const char *scheme_of(request_rec *r)
{
    return note_of(r, "OSPROXY_SCHEME");
}

/* The events of a rule, in the order of enum osp_event. */
static const char *const events[] = {"acted", "reported", "refused"};

static unsigned happened(const request_rec *r, enum osp_event event)
{
    unsigned rules = 0;

    for (; r; r = r->next) {
        const osp_request *rec = ap_get_module_config(r->request_config, &osproxy_module);

        rules |= rec ? rec->happened[event] : 0;
    }
    return rules;
}

static const char *rules_of(request_rec *r)
{
    const char *text = NULL;
    int event, rule;

    for (event = 0; event < OSP_EVENT_COUNT; event++) {
        unsigned set = happened(r, (enum osp_event)event);

        for (rule = 0; set; rule++, set >>= 1) {
            if (set & 1) {
                text = apr_pstrcat(r->pool, text ? text : "", text ? "," : "",
                                   osp_rule_get((enum osp_rule_id)rule)->name, ":", events[event],
                                   NULL);
            }
        }
    }
    return text;
}

static const char *refused_of(request_rec *r)
{
    unsigned set = happened(r, OSP_REFUSED);
    int rule = 0;

    for (; set && !(set & 1); set >>= 1) {
        rule++;
    }
    return set ? osp_rule_get((enum osp_rule_id)rule)->name : NULL;
}

/* Who made the answer: the app server, or httpd itself. */
static const char *answer_of(request_rec *r)
{
    while (r->next) {
        r = r->next;
    }
    return osp_request_get(r)->answered ? "server" : "proxy";
}

/* The app server that was asked last: scheme and authority. */
static const char *server_of(request_rec *r)
{
    const char *url = NULL;

    for (; r; r = r->next) {
        if (osp_request_get(r)->proxied && r->filename
            && strncmp(r->filename, "proxy:", 6) == 0) {
            const char *start = r->filename + 6, *authority = ap_strstr_c(start, "://");
            size_t length = authority ? (size_t)(authority - start) + 3 : 0;

            length += strcspn(start + length, "/?");
            url = apr_pstrmemdup(r->pool, start, length);
        }
    }
    return url;
}

static const char *method_of(request_rec *r)
{
    return r->method;
}

/* The request line as it came. */
static const char *request_of(request_rec *r)
{
    return r->the_request;
}

static const char *protocol_of(request_rec *r)
{
    return r->protocol;
}

static const char *host_of(request_rec *r)
{
    return r->hostname;
}

static const char *user_of(request_rec *r)
{
    const char *name = NULL;

    for (; r; r = r->next) {
        name = r->user ? r->user : name;
    }
    return name;
}

typedef struct word {
    const char *name;
    const char *(*tell)(request_rec *r);
} word;

static const word words[] = {
    {"module", module_of}, {"kind", kind_of}, {"client", client_of}, {"pin", pin_of},
    {"scheme", scheme_of}, {"rules", rules_of}, {"refused", refused_of}, {"answer", answer_of},
    {"server", server_of}, {"method", method_of}, {"request", request_of},
    {"protocol", protocol_of}, {"host", host_of}, {"user", user_of},
};

static const word *find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(words[i].name, name) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* i:, o:, e:, n: as the letters of mod_log_config. */
static const char *field_of(request_rec *r, char table, const char *name)
{
    const char *value = NULL;

    if (table == 'i') {
        return apr_table_get(r->headers_in, name);
    }
    if (table == 'n') {
        return note_of(r, name);
    }
    for (; r; r = r->next) {
        const char *found = apr_table_get(table == 'e' ? r->subprocess_env : r->headers_out, name);

        if (!found && table == 'o') {
            found = apr_table_get(r->err_headers_out, name);
        }
        value = found ? found : value;
    }
    return value;
}

static const char *tell(request_rec *r, const char *what)
{
    const word *known;

    while (r->prev) {
        r = r->prev;
    }
    if (what[0] && what[1] == ':' && strchr("ioen", what[0])) {
        return field_of(r, what[0], what + 2);
    }
    known = find(what);
    return known ? known->tell(r) : NULL;
}

/* ---- for LogFormat ------------------------------------------------------------------------------ */

static const char *log_text(request_rec *r, char *what)
{
    const char *value = tell(r, what);

    return value && *value ? ap_escape_logitem(r->pool, value) : NULL; /* httpd writes - */
}

static void *take(void *pool, size_t bytes)
{
    return apr_pcalloc(pool, bytes);
}

static const char *log_json(request_rec *r, char *what)
{
    osp_memory memory = {take, r->pool};
    osp_out out = {.memory = &memory};

    osp_out_json(&out, tell(r, what));
    return out.text;
}

static int register_items(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);
    static char text[] = "^OS", json[] = "^OJ"; /* httpd keeps the tag */

    (void)plog;
    (void)ptemp;
    if (add) {
        add(pconf, text, log_text, 1);
        add(pconf, json, log_json, 1);
    }
    return OK;
}

/* ---- for expressions ---------------------------------------------------------------------------- */

static const char *evaluate(ap_expr_eval_ctx_t *context, const void *data)
{
    const word *known = data;
    request_rec *r = context->r;
    const char *value;

    while (r && r->prev) {
        r = r->prev;
    }
    value = r ? known->tell(r) : NULL;
    return value ? value : "";
}

static int lookup(ap_expr_lookup_parms *asked)
{
    const word *known;

    if (asked->type != AP_EXPR_FUNC_VAR || strncasecmp(asked->name, "OSPROXY_", 8) != 0) {
        return DECLINED;
    }
    known = find(asked->name + 8);
    if (!known) {
        return DECLINED;
    }
    *asked->func = (const void *)evaluate;
    *asked->data = known;
    return OK;
}

/* mod_proxy is done. OK: the answer was a back end's. DONE: it was, and one of the two left early. */
static int done(int *status, request_rec *r)
{
    osp_request *rec = ap_get_module_config(r->request_config, &osproxy_module);

    if (rec && rec->proxied && (*status == OK || *status == DONE)) {
        rec->answered = 1;
    }
    return DECLINED;
}

void osp_trace_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(register_items, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_expr_lookup(lookup, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(proxy, request_status, done, NULL, NULL, APR_HOOK_MIDDLE);
}
