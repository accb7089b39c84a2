/*
 * config.c: the directives OSProxyEngine, OSProxyRule, OSProxyInternal, OSProxyDomain,
 * OSProxyModule and OSProxyKeepAlive: create, merge, and messages that name the bad value.
 *
 * Engine and rules live in the directory configuration, so that httpd's own merging carries them
 * from the server through virtual hosts into sections; the mode in force is worked out when a
 * configuration is built, so that a request only reads it.
 */
#include "apr_lib.h"
#include "apr_strings.h"

#include "osproxy.h"

static int engine_used;

int osp_engine_used(void)
{
    return engine_used;
}

/* ---- create and merge ---------------------------------------------------------------------- */

static void work_out_modes(osp_dir_conf *conf)
{
    int id;

    for (id = 0; id < OSP_RULE_MODE_COUNT; id++) {
        int mode = conf->set[id] ? conf->set[id] - 1 : OSP_ENFORCE;

        if (conf->engine == OSP_ENGINE_UNSET || conf->engine == OSP_ENGINE_OFF) {
            mode = OSP_OFF;
        }
        else if (conf->engine == OSP_ENGINE_REPORT && mode == OSP_ENFORCE) {
            mode = OSP_REPORT;
        }
        conf->mode[id] = (unsigned char)mode;
    }
}

void *osp_config_create_dir(apr_pool_t *p, char *dir)
{
    (void)dir;
    return apr_pcalloc(p, sizeof(osp_dir_conf));
}

void *osp_config_merge_dir(apr_pool_t *p, void *base_, void *add_)
{
    const osp_dir_conf *base = base_, *add = add_;
    osp_dir_conf *conf = apr_pmemdup(p, base, sizeof *base);
    int id;

    if (add->engine != OSP_ENGINE_UNSET) {
        conf->engine = add->engine;
    }
    for (id = 0; id < OSP_RULE_MODE_COUNT; id++) {
        if (add->set[id]) {
            conf->set[id] = add->set[id];
            conf->reason[id] = add->reason[id];
        }
    }
    work_out_modes(conf);
    return conf;
}

void *osp_config_create_server(apr_pool_t *p, server_rec *s)
{
    if (!s->is_virtual) {
        engine_used = 0; /* a new configuration begins with its main server */
    }
    return apr_pcalloc(p, sizeof(osp_server_conf));
}

void *osp_config_merge_server(apr_pool_t *p, void *base_, void *add_)
{
    const osp_server_conf *base = base_, *add = add_;
    osp_server_conf *conf = apr_pcalloc(p, sizeof *conf);

    conf->internal = add->internal ? add->internal : base->internal;
    conf->domains = add->domains ? add->domains : base->domains;
    conf->hops = add->hops ? add->hops : base->hops;
    conf->keep_alive = add->keep_alive ? add->keep_alive : base->keep_alive;
    if (base->modules && add->modules) {
        conf->modules = apr_array_append(p, base->modules, add->modules);
    }
    else {
        conf->modules = add->modules ? add->modules : base->modules;
    }
    return conf;
}

/* ---- directives ----------------------------------------------------------------------------- */

static const char *set_engine(cmd_parms *cmd, void *dir, const char *arg)
{
    osp_dir_conf *conf = dir;

    if (strcasecmp(arg, "On") == 0) {
        conf->engine = OSP_ENGINE_ON;
    }
    else if (strcasecmp(arg, "Report") == 0) {
        conf->engine = OSP_ENGINE_REPORT;
    }
    else if (strcasecmp(arg, "Off") == 0) {
        conf->engine = OSP_ENGINE_OFF;
    }
    else {
        return apr_psprintf(cmd->pool, "OSProxyEngine: '%s' is not allowed; write On, Report or "
                            "Off", arg);
    }
    if (conf->engine != OSP_ENGINE_OFF) {
        engine_used = 1;
    }
    work_out_modes(conf);
    return NULL;
}

static const char *rule_names(apr_pool_t *p)
{
    const char *names = osp_rule_get(0)->name;
    int id;

    for (id = 1; id < OSP_RULE_COUNT; id++) {
        names = apr_pstrcat(p, names, " ", osp_rule_get((enum osp_rule_id)id)->name, NULL);
    }
    return names;
}

static int mode_find(const char *name)
{
    int mode;

    for (mode = OSP_OFF; mode <= OSP_ENFORCE; mode++) {
        if (strcasecmp(osp_mode_name((enum osp_mode)mode), name) == 0) {
            return mode;
        }
    }
    return -1;
}

static const char *set_rule(cmd_parms *cmd, void *dir, const char *name, const char *mode_name,
                            const char *reason)
{
    osp_dir_conf *conf = dir;
    enum osp_rule_id id = osp_rule_find(name);
    int mode = mode_find(mode_name);

    if (id == OSP_RULE_COUNT) {
        return apr_psprintf(cmd->pool, "OSProxyRule: there is no rule '%s'; the rules are: %s",
                            name, rule_names(cmd->pool));
    }
    if (mode < 0) {
        return apr_psprintf(cmd->pool, "OSProxyRule %s: '%s' is not allowed; write enforce, report "
                            "or off", name, mode_name);
    }
    if (mode == OSP_OFF && (!reason || !*reason)) {
        return apr_psprintf(cmd->pool, "OSProxyRule %s off: a reason is missing; write it behind "
                            "'off', in quotes", name);
    }
    if (cmd->path && osp_rule_get(id)->scope == OSP_SCOPE_SERVER) {
        return apr_psprintf(cmd->pool, "OSProxyRule %s: '%s' stands in a section, but the rule "
                            "belongs to a whole server or virtual host; write it there", name,
                            cmd->path);
    }
    if (id >= OSP_RULE_MODE_COUNT) {
        return NULL; /* the audit reads it from the configuration's own lines */
    }
    conf->set[id] = (unsigned char)(1 + mode);
    conf->reason[id] = reason;
    work_out_modes(conf);
    return NULL;
}

/* apr_ipsubnet_test() compares an IPv4 client with IPv4 subnets only: a subnet written in its
 * IPv4-mapped form (::ffff:10.0.0.0/104) is turned into the form that matches. */
static char *unmap_ipv4(apr_pool_t *p, const char *arg)
{
    char *text = apr_pstrdup(p, arg);
    char *slash;

    if (strncasecmp(text, "::ffff:", 7) != 0 || !strchr(text, '.')) {
        return text;
    }
    text += 7;
    slash = strchr(text, '/');
    if (slash) {
        char *end;
        apr_int64_t bits = apr_strtoi64(slash + 1, &end, 10);

        if (*end || end == slash + 1 || bits < 96 || bits > 128) {
            return NULL;
        }
        *slash = '\0';
        text = apr_psprintf(p, "%s/%d", text, (int)bits - 96);
    }
    return text;
}

/* One address or network of a directive; NULL, or what is wrong with it. */
static const char *parse_network(cmd_parms *cmd, const char *arg, apr_ipsubnet_t **network)
{
    char *address = unmap_ipv4(cmd->temp_pool, arg);
    char *mask = address ? strchr(address, '/') : NULL;

    if (mask) {
        *mask++ = '\0';
    }
    if (!address || !*address
        || apr_ipsubnet_create(network, address, mask, cmd->pool) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: '%s' is no address and no network; write for example "
                            "10.0.0.0/8, 192.0.2.7 or 2001:db8::/32", cmd->cmd->name, arg);
    }
    return NULL;
}

static const char *add_internal(cmd_parms *cmd, void *dir, const char *arg)
{
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    apr_ipsubnet_t *network;
    const char *error, *plain = unmap_ipv4(cmd->temp_pool, arg);
    const char *mask = plain ? ap_strchr_c(plain, '/') : NULL;

    (void)dir;
    if (mask && mask[1] && !mask[1 + strspn(mask + 1, "0.")]) {
        return apr_psprintf(cmd->pool, "OSProxyInternal: '%s' would make every client internal; "
                            "to offer everyone Negotiate, write OSProxyRule negotiate off "
                            "\"reason\"", arg);
    }
    error = parse_network(cmd, arg, &network);
    if (error) {
        return error;
    }
    if (!conf->internal) {
        conf->internal = apr_array_make(cmd->pool, 4, sizeof(apr_ipsubnet_t *));
    }
    APR_ARRAY_PUSH(conf->internal, apr_ipsubnet_t *) = network;
    return NULL;
}

static const char *add_hop(cmd_parms *cmd, void *dir, const char *word, const char *arg)
{
    static const char *const words[] = {
        [OSP_HOP_DEDICATED] = "dedicated",
        [OSP_HOP_SHARED] = "shared",
        [OSP_HOP_REFUSED] = "refused",
    };
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    apr_ipsubnet_t *network;
    osp_hop_rule *rule;
    const char *error;
    int hop;

    (void)dir;
    for (hop = OSP_HOP_DEDICATED; hop <= OSP_HOP_REFUSED; hop++) {
        if (strcasecmp(words[hop], word) == 0) {
            break;
        }
    }
    if (hop > OSP_HOP_REFUSED) {
        return apr_psprintf(cmd->pool, "OSProxyHop: '%s' is not allowed; write dedicated, shared or "
                            "refused", word);
    }
    error = parse_network(cmd, arg, &network);
    if (error) {
        return error;
    }
    if (!conf->hops) {
        conf->hops = apr_array_make(cmd->pool, 4, sizeof(osp_hop_rule));
    }
    rule = apr_array_push(conf->hops);
    rule->network = network;
    rule->hop = (enum osp_hop)hop;
    return NULL;
}

static int is_host_name(const char *name)
{
    const char *c;

    if (!*name || strlen(name) > 253 || name[0] == '.' || name[0] == '-') {
        return 0;
    }
    for (c = name; *c; c++) {
        if (!apr_isalnum(*c) && *c != '-' && *c != '_' && !(*c == '.' && c[1] != '.')) {
            return 0;
        }
    }
    return 1;
}

static const char *add_domain(cmd_parms *cmd, void *dir, const char *arg)
{
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    char *name = apr_pstrdup(cmd->pool, arg);

    (void)dir;
    if (!is_host_name(arg)) {
        return apr_psprintf(cmd->pool, "OSProxyDomain: '%s' is no host name; write it as in "
                            "Service Center, without scheme, port or path, for example "
                            "apps.example.com", arg);
    }
    if (!conf->domains) {
        conf->domains = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    ap_str_tolower(name);
    APR_ARRAY_PUSH(conf->domains, const char *) = name;
    return NULL;
}

static const char *add_module(cmd_parms *cmd, void *dir, const char *name, const char *kind)
{
    static const char *const kinds[] = {
        [OSP_KIND_REACTIVE] = "reactive",
        [OSP_KIND_MOBILE] = "mobile",
        [OSP_KIND_TRADITIONAL] = "traditional",
    };
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    osp_module *declared;
    int k = OSP_KIND_UNKNOWN;

    (void)dir;
    if (!*name || strpbrk(name, "/\\?#;% \t") || strlen(name) > 200) {
        return apr_psprintf(cmd->pool, "OSProxyModule: '%s' is no module name; write the first "
                            "segment of its URL, without slashes, for example MyApp", name);
    }
    if (kind) {
        for (k = OSP_KIND_REACTIVE; k <= OSP_KIND_TRADITIONAL; k++) {
            if (strcasecmp(kinds[k], kind) == 0) {
                break;
            }
        }
        if (k > OSP_KIND_TRADITIONAL) {
            return apr_psprintf(cmd->pool, "OSProxyModule %s: '%s' is not allowed; write reactive, "
                                "mobile or traditional, or nothing", name, kind);
        }
    }
    if (!conf->modules) {
        conf->modules = apr_array_make(cmd->pool, 8, sizeof(osp_module));
    }
    declared = apr_array_push(conf->modules);
    declared->name = name;
    declared->kind = (enum osp_kind)k;
    return NULL;
}

static const char *set_keep_alive(cmd_parms *cmd, void *dir, const char *arg)
{
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    char *end;
    apr_int64_t seconds = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (!apr_isdigit(*arg) || *end || seconds < OSP_KEEP_ALIVE_FLOOR || seconds > 86400) {
        return apr_psprintf(cmd->pool, "OSProxyKeepAlive: '%s' is not allowed; write whole seconds "
                            "from %d to 86400", arg, OSP_KEEP_ALIVE_FLOOR);
    }
    conf->keep_alive = (int)seconds;
    return NULL;
}

static const char *set_pin_limit(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    char *end;
    apr_int64_t pins = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (error) {
        return error;
    }
    if (!apr_isdigit(*arg) || *end || pins < 1 || pins > 1000000) {
        return apr_psprintf(cmd->pool, "OSProxyPinLimit: '%s' is not allowed; write a number from 1 "
                            "to 1000000", arg);
    }
    osp_server_conf_get(cmd->server)->pin_limit = (int)pins;
    return NULL;
}

static const char *set_deploy(cmd_parms *cmd, const char *option)
{
    const char *value = strncasecmp(option, "deploy=", 7) == 0 ? option + 7 : "";
    char *end;
    apr_int64_t seconds = apr_strtoi64(value, &end, 10);

    if (!apr_isdigit(*value) || *end || seconds < 1 || seconds > 86400) {
        return apr_psprintf(cmd->pool, "OSProxyWatch: '%s' is not allowed; write deploy= and how many "
                            "seconds a deployment takes, from 1 to 86400, for example deploy=%d",
                            option, OSP_DEPLOY);
    }
    osp_server_conf_get(cmd->server)->deploy = (int)seconds;
    return NULL;
}

static const char *set_watch(cmd_parms *cmd, void *dir, const char *arg, const char *option)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    osp_server_conf *conf = osp_server_conf_get(cmd->server);
    char *end;
    apr_int64_t rate = apr_strtoi64(arg, &end, 10);

    (void)dir;
    if (!error && option) {
        error = set_deploy(cmd, option);
    }
    if (error) {
        return error;
    }
    if (strcasecmp(arg, "Off") == 0) {
        conf->watch = -1;
    }
    else if (strcasecmp(arg, "On") == 0) {
        conf->watch = OSP_WATCH_RATE;
    }
    else if (!apr_isdigit(*arg) || *end || rate < 1 || rate > 60000) {
        return apr_psprintf(cmd->pool, "OSProxyWatch: '%s' is not allowed; write On, Off, or how many "
                            "requests per minute the watcher may send, from 1 to 60000", arg);
    }
    else {
        conf->watch = (int)rate;
    }
    return NULL;
}

/* httpd lets a RSRC_CONF directive stand in <If> and the like no more than in <Location>. */
const command_rec osp_commands[] = {
    AP_INIT_TAKE1("OSProxyEngine", set_engine, NULL, RSRC_CONF | ACCESS_CONF,
                  "On (enforce), Report (watch and report, change nothing) or Off (default)"),
    AP_INIT_TAKE23("OSProxyRule", set_rule, NULL, RSRC_CONF | ACCESS_CONF,
                   "a rule; enforce, report or off; a reason, which off demands"),
    AP_INIT_ITERATE("OSProxyInternal", add_internal, NULL, RSRC_CONF,
                    "addresses and networks of clients that may use Negotiate"),
    AP_INIT_ITERATE2("OSProxyHop", add_hop, NULL, RSRC_CONF,
                     "dedicated, shared or refused; addresses and networks of proxies in front"),
    AP_INIT_ITERATE("OSProxyDomain", add_domain, NULL, RSRC_CONF,
                    "host names configured in Service Center; default: ServerName"),
    AP_INIT_TAKE12("OSProxyModule", add_module, NULL, RSRC_CONF,
                   "a module that must be reachable; reactive, mobile or traditional"),
    AP_INIT_TAKE1("OSProxyKeepAlive", set_keep_alive, NULL, RSRC_CONF,
                  "least seconds that idle client connections are kept, 30 or more"),
    AP_INIT_TAKE1("OSProxyPinLimit", set_pin_limit, NULL, RSRC_CONF,
                  "most clients of a child that are signed in with Windows authentication"),
    AP_INIT_TAKE12("OSProxyWatch", set_watch, NULL, RSRC_CONF,
                   "On (default), Off, or most requests per minute that the watcher sends; deploy= and "
                   "seconds that a deployment takes"),
    {NULL}
};
