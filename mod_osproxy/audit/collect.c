/*
 * collect.c: from httpd's configuration tree and server records to facts.
 *
 * ap_conftree holds every directive with its file and line: includes and macros taken in, IfModule
 * and IfDefine dissolved, sections as nodes with children. A virtual host's node and its server_rec
 * know each other by file and line.
 */
#include "apr_strings.h"
#include "ap_mpm.h"
#include "ap_regex.h"
#include "http_core.h"
#include "util_cfgtree.h"

#include "audit.h"

#define MOST_MACRO_LINES 10000

typedef struct place {
    const char *file, *used;
    const apr_array_header_t *lines; /* of a macro: lines_below(), else NULL */
    int offset; /* to add to the line */
} place;

typedef struct collector {
    osp_facts *facts;
    apr_pool_t *pool;
    apr_hash_t *records;  /* "file:line" -> server_rec */
    apr_hash_t *patterns; /* regular expression -> pattern */
    apr_hash_t *macros;   /* "file:line" -> lines_below() */
    const char *named;    /* what httpd calls the file of the line before ... */
    place at;             /* ... and what that means */
} collector;

static void *take(void *baton, size_t bytes)
{
    return apr_pcalloc(baton, bytes ? bytes : 1);
}

typedef struct pattern {
    ap_regex_t *compiled; /* NULL: it is none */
} pattern;

static int matches(void *baton, const char *text_of_pattern, const char *text)
{
    collector *c = baton;
    pattern *known = apr_hash_get(c->patterns, text_of_pattern, APR_HASH_KEY_STRING);

    if (!known) {
        known = apr_palloc(c->pool, sizeof *known);
        known->compiled = ap_pregcomp(c->pool, text_of_pattern, AP_REG_EXTENDED);
        apr_hash_set(c->patterns, text_of_pattern, APR_HASH_KEY_STRING, known);
    }
    if (!known->compiled) {
        return -1;
    }
    return ap_regexec(known->compiled, text, 0, NULL, 0) == 0;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* mod_macro drops the comments of a macro before it counts its lines: the lines of the file that
 * begin below `first`, each by the number of its last one (a backslash joins it with the next). */
static const apr_array_header_t *lines_below(collector *c, const char *file, int first)
{
    const char *key = apr_psprintf(c->pool, "%s:%d", file, first);
    apr_array_header_t *lines = apr_hash_get(c->macros, key, APR_HASH_KEY_STRING);
    char text[MAX_STRING_LEN];
    ap_configfile_t *from;

    if (lines || ap_pcfg_openfile(&from, c->pool, file) != APR_SUCCESS) {
        return lines;
    }
    lines = apr_array_make(c->pool, 32, sizeof(int));
    apr_hash_set(c->macros, key, APR_HASH_KEY_STRING, lines);
    while (lines->nelts < MOST_MACRO_LINES
           && ap_cfg_getline(text, sizeof text, from) == APR_SUCCESS) {
        if ((int)from->line_number > first && *text != '#') {
            APR_ARRAY_PUSH(lines, int) = (int)from->line_number;
        }
    }
    ap_cfg_closefile(from);
    return lines;
}

/* The line of the file for one that httpd counts. */
static int line_at(const place *at, int counted)
{
    if (at->lines && counted >= 1 && counted <= at->lines->nelts) {
        return APR_ARRAY_IDX(at->lines, counted - 1, int);
    }
    return counted + at->offset;
}

/* Lines of a macro come from `macro 'Name' (defined on line 3 of "a.conf") used on line 9 of
 * "b.conf"` and are counted from the macro's own line: turns that into the file and line where they
 * stand, and where the macro is used. What stands for b.conf may be such a text again. Another text
 * is left as it is. */
static place resolve(collector *c, const char *name, int depth)
{
    static const char defined[] = "(defined on line ", used[] = ") used on line ", of[] = " of \"";
    place here = {.file = name};
    const char *at = ap_strstr_c(name, defined), *file, *end, *user;
    place there;

    if (strncmp(name, "macro '", 7) != 0 || !at || depth > 8) {
        return here;
    }
    at += sizeof defined - 1;
    file = ap_strstr_c(at, of);
    end = ap_strstr_c(at, used);
    if (!file || !end || file > end || strncmp(file + sizeof of - 1, "macro '", 7) == 0) {
        return here; /* a macro defined by another one */
    }
    here.offset = atoi(at);
    file += sizeof of - 1;
    here.file = apr_pstrmemdup(c->pool, file, (apr_size_t)(end - file) - 1);
    here.lines = lines_below(c, here.file, here.offset);
    at = end + sizeof used - 1;
    user = ap_strstr_c(at, of);
    if (user && (end = strrchr(user + sizeof of - 1, '"')) != NULL) {
        user += sizeof of - 1;
        there = resolve(c, apr_pstrmemdup(c->pool, user, (apr_size_t)(end - user)), depth + 1);
        here.used = apr_psprintf(c->pool, "%s:%d%s%s", there.file, line_at(&there, atoi(at)),
                                 there.used ? ", used at " : "", there.used ? there.used : "");
    }
    return here;
}

static osp_section *add(collector *c, osp_server *server, const osp_section *section,
                        const ap_directive_t *node)
{
    if (c->named != node->filename) {
        c->named = node->filename;
        c->at = resolve(c, node->filename ? node->filename : "", 0);
    }
    return osp_facts_line(c->facts, server, section, node->directive, node->args, c->at.file,
                          line_at(&c->at, node->line_num), c->at.used);
}

static void walk(collector *c, osp_server *server, const osp_section *section,
                 const ap_directive_t *node);

static const char *key_of(apr_pool_t *p, const char *file, int line)
{
    return apr_psprintf(p, "%s:%d", file ? file : "", line);
}

static void keep_alive_of(osp_server *server, const server_rec *s)
{
    const osp_server_conf *conf = osp_server_conf_get(s);
    apr_interval_time_t timeout =
        conf->raised ? conf->keep_alive_timeout_was : s->keep_alive_timeout;

    server->keep_alive = conf->raised ? conf->keep_alive_was : s->keep_alive;
    server->keep_alive_max = conf->raised ? conf->keep_alive_max_was : s->keep_alive_max;
    server->keep_alive_ms = (long)apr_time_as_msec(timeout);
    server->keep_alive_floor = conf->keep_alive ? conf->keep_alive : OSP_KEEP_ALIVE_FLOOR;
}

static void walk_vhost(collector *c, const ap_directive_t *node)
{
    const char *key = key_of(c->pool, node->filename, node->line_num);
    const server_rec *s = apr_hash_get(c->records, key, APR_HASH_KEY_STRING);
    osp_server *server;

    if (!s) {
        return; /* httpd made none of it */
    }
    server = osp_facts_server(c->facts, s->server_hostname);
    server->record = s;
    keep_alive_of(server, s);
    add(c, server, NULL, node);
    walk(c, server, NULL, node->first_child);
}

static void walk(collector *c, osp_server *server, const osp_section *section,
                 const ap_directive_t *node)
{
    for (; node; node = node->next) {
        const osp_section *inner;

        if (strcasecmp(node->directive, "<VirtualHost") == 0) {
            if (server->is_main && !section) {
                walk_vhost(c, node);
            }
            continue;
        }
        inner = add(c, server, section, node);
        if (node->first_child) {
            walk(c, server, inner ? inner : section, node->first_child);
        }
    }
}

/* ---- what httpd itself knows --------------------------------------------------------------- */

static void ask_mpm(osp_facts *facts)
{
    const char *name = ap_show_mpm();

    facts->mpm = osp_text_lower(facts->memory, name ? name : "");
    if (ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &facts->mpm_daemons) != APR_SUCCESS
        || ap_mpm_query(AP_MPMQ_MAX_THREADS, &facts->mpm_threads) != APR_SUCCESS) {
        facts->mpm_daemons = 0;
    }
    if (facts->mpm_threads == 0) {
        facts->mpm_threads = 1; /* prefork counts none */
    }
}

/* A line to point at when something belongs to the whole server and is written nowhere: the
 * first of the main file, or else of all. */
static void point_main_server(collector *c)
{
    const ap_directive_t *node = ap_conftree, *best = NULL;
    osp_server *server = c->facts->main;
    osp_line *line;

    for (; node && !best; node = node->next) {
        if (node->filename && !strchr(node->filename, '\'') && node->filename[0] == '/') {
            best = node;
        }
    }
    if (!best) {
        return;
    }
    line = apr_pcalloc(c->pool, sizeof *line);
    line->word = OSP_W_COUNT;
    line->name = best->directive;
    line->args = "";
    line->file = best->filename;
    line->line = best->line_num;
    line->server = server;
    server->opening = line;
}

osp_facts *osp_collect(apr_pool_t *p, server_rec *main_server)
{
    collector *c = apr_pcalloc(p, sizeof *c);
    osp_memory *memory = apr_pcalloc(p, sizeof *memory);
    apr_hash_t *certificates = apr_hash_make(p);
    osp_server *server;
    server_rec *s;

    *memory = (osp_memory){take, p};
    c->pool = p;
    c->records = apr_hash_make(p);
    c->patterns = apr_hash_make(p);
    c->macros = apr_hash_make(p);
    c->facts = apr_pcalloc(p, sizeof *c->facts);
    c->facts->memory = memory;
    c->facts->matches = matches;
    c->facts->baton = c;
    c->facts->survey = ap_exists_config_define("OSPROXY_AUDIT");
    c->facts->remoteip_is_loaded = ap_find_linked_module("mod_remoteip.c") != NULL;
    ask_mpm(c->facts);
    for (s = main_server->next; s; s = s->next) {
        apr_hash_set(c->records, key_of(p, s->defn_name, (int)s->defn_line_number),
                     APR_HASH_KEY_STRING, s);
    }
    server = osp_facts_server(c->facts, main_server->server_hostname);
    server->record = main_server;
    keep_alive_of(server, main_server);
    walk(c, server, NULL, ap_conftree);
    point_main_server(c);
    osp_facts_finish(c->facts);
    for (server = c->facts->main; server; server = server->next) {
        if (server->audited && server->is_tls) {
            osp_certificates(c->facts, server, certificates, p);
        }
    }
    return c->facts;
}
