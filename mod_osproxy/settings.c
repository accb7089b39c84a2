/*
 * settings.c: reading and running ordinary directives of other modules.
 *
 * What a rule needs of another module it gets the way an administrator would: by a directive, run
 * through httpd's own configuration code at check_config. No private structure of another module
 * is touched, and the directive's own checks apply.
 */
#include "apr_strings.h"
#include "http_core.h"
#include "util_cfgtree.h"

#include "osproxy.h"

const char *osp_settings_run(apr_pool_t *p, apr_pool_t *ptemp, server_rec *s,
                             ap_conf_vector_t *vector, const char *directive, const char *args)
{
    ap_directive_t *node = apr_pcalloc(p, sizeof *node);
    cmd_parms parms;

    memset(&parms, 0, sizeof parms);
    node->directive = directive;
    node->args = args;
    node->filename = "mod_osproxy";
    parms.pool = p;
    parms.temp_pool = ptemp;
    parms.server = s;
    parms.override = RSRC_CONF | OR_ALL;
    parms.override_opts = OPT_ALL | OPT_SYM_OWNER | OPT_MULTI;
    parms.limited = -1;
    if (vector != s->lookup_defaults) {
        parms.path = apr_pstrdup(p, "/"); /* a section: some directives only then take "on" */
    }
    return ap_walk_config(node, &parms, vector);
}

ap_conf_vector_t *osp_settings_vector(apr_pool_t *p, apr_pool_t *ptemp, server_rec *s,
                                      const char *directive, const char *args, const char **error)
{
    ap_conf_vector_t *vector = ap_create_per_dir_config(p);

    *error = osp_settings_run(p, ptemp, s, vector, directive, args);
    return *error ? NULL : vector;
}

static const char *last_value(const ap_directive_t *node, const char *directive)
{
    const char *value = NULL;

    for (; node; node = node->next) {
        if (strcasecmp(node->directive, directive) == 0) {
            value = node->args;
        }
    }
    return value;
}

static int is_written_at(const server_rec *s, const ap_directive_t *node)
{
    return s->defn_name && node->line_num == (int)s->defn_line_number
           && strcmp(node->filename, s->defn_name) == 0;
}

const char *osp_settings_written(const server_rec *s, const server_rec *main_server,
                                 const char *directive)
{
    const ap_directive_t *node;

    if (s == main_server) {
        return last_value(ap_conftree, directive);
    }
    for (node = ap_conftree; node; node = node->next) {
        if (strcasecmp(node->directive, "<VirtualHost") == 0 && is_written_at(s, node)) {
            return last_value(node->first_child, directive);
        }
    }
    return NULL;
}

/* The next line of the whole configuration, sections included. */
static const ap_directive_t *next_line(const ap_directive_t *node)
{
    if (node->first_child) {
        return node->first_child;
    }
    while (node && !node->next) {
        node = node->parent;
    }
    return node ? node->next : NULL;
}

int osp_settings_used(const char *directive)
{
    const ap_directive_t *node;

    for (node = ap_conftree; node; node = next_line(node)) {
        if (strcasecmp(node->directive, directive) == 0) {
            return 1;
        }
    }
    return 0;
}

void osp_settings_each(server_rec *main_server, const char *directive,
                       void (*fn)(void *baton, const server_rec *s, int in_section, const char *args),
                       void *baton)
{
    const ap_directive_t *node, *around;

    for (node = ap_conftree; node; node = next_line(node)) {
        const server_rec *s = NULL;
        int in_section = 0;

        if (strcasecmp(node->directive, directive) != 0) {
            continue;
        }
        for (around = node->parent; around; around = around->parent) {
            if (strcasecmp(around->directive, "<VirtualHost") != 0) {
                in_section = 1;
                continue;
            }
            for (s = main_server->next; s && !is_written_at(s, around); s = s->next) {
            }
        }
        fn(baton, s, in_section, node->args);
    }
}

static int listens_on(const server_rec *s, const server_addr_rec *address)
{
    const server_addr_rec *a;

    for (a = s->addrs; a; a = a->next) {
        if ((a->host_port == address->host_port || a->host_port == 0)
            && apr_sockaddr_equal(a->host_addr, address->host_addr)) {
            return 1;
        }
    }
    return 0;
}

void osp_settings_each_first_vhost(server_rec *s, server_rec *main_server,
                                   void (*fn)(server_rec *first, void *baton), void *baton)
{
    const server_addr_rec *a;

    for (a = s->addrs; a; a = a->next) {
        server_rec *first = NULL, *t;

        /* httpd lists its virtual hosts from the last to the first */
        for (t = main_server->next; t; t = t->next) {
            if (listens_on(t, a)) {
                first = t;
            }
        }
        if (first && first != s) {
            fn(first, baton);
        }
    }
}
