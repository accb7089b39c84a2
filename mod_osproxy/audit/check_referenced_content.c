/*
 * check_referenced_content.c: rule referenced-content: "all modules that are used somehow by your
 * application must be available from the outside world".
 */
#include "check.h"

#include <string.h>

/* ---- modules ------------------------------------------------------------------------------- */

/* The mapping whose back end a missing one most likely shares: the last prefix. */
static const osp_mapping *model(const osp_server *server)
{
    int i;

    for (i = server->mapping_count - 1; i >= 0; i--) {
        const osp_mapping *mapping = &server->mappings[i];

        if (mapping->kind == OSP_MAP_PREFIX && mapping->path_arg == 0
            && mapping->line->server == server && !mapping->line->section) {
            return mapping;
        }
    }
    return NULL;
}

static void fix_missing(osp_audit *audit, osp_finding *finding, const osp_server *server,
                        const char *name)
{
    const osp_mapping *like = model(server);
    const osp_mapping *any = like ? like : server->mapping_count ? &server->mappings[0] : NULL;
    const osp_target *target = any ? &any->target : NULL;
    const char *rest = "", *port, *text;

    if (!target || !*target->scheme) {
        osp_fix_advice(audit, finding, "ProxyPass \"/%s\" \"http://app-server/%s\"", name, name);
        return;
    }
    if (like && like->url_arg + 1 < like->line->count) {
        rest = osp_text_format(audit->memory, " %s",
                               like->line->args + like->line->arg[like->url_arg + 1].at);
    }
    port = target->port ? osp_text_format(audit->memory, ":%d", target->port) : "";
    text = osp_text_format(audit->memory, "ProxyPass \"/%s\" \"%s://%s%s/%s\"%s", name,
                           target->scheme, target->host, port, name, rest);
    if (like) {
        osp_fix_after(audit, finding, like->line, text);
    }
    else {
        osp_fix_inside(audit, finding, server, text);
    }
}

static bool begins_with(const char *path, const char *name)
{
    path += *path == '/';
    return strcspn(path, "/?") == strlen(name) && osp_text_begins(path, name);
}

/* Whether a mapping of another public path leads to the module, as `/apps/` or `/apps/MyApp` do, or
 * one of a part of it. */
static bool is_mapped_otherwise(const osp_server *server, const char *name)
{
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];
        const char *to = mapping->target.path;

        if (mapping->kind == OSP_MAP_EXCLUDE || !*mapping->target.scheme) {
            continue;
        }
        if (begins_with(mapping->path, name) || begins_with(to, name) || strchr(to, '$')
            || (mapping->kind == OSP_MAP_PREFIX && (!*to || strcmp(to, "/") == 0))) {
            return true;
        }
    }
    return false;
}

static void check_module(osp_audit *audit, osp_server *server, const osp_line *module)
{
    const char *name = osp_line_arg(module, 0);
    const char *path = osp_text_format(audit->memory, "/%s/x", name);
    const osp_mapping *mapping = osp_mapping_for(audit->facts, server, path);
    const osp_line *by = NULL;
    enum osp_block block = osp_path_block(audit, server, path, &by);
    osp_finding *finding;

    if (block == OSP_REDIRECTED) {
        return;
    }
    if (!mapping && is_mapped_otherwise(server, name)) {
        return; /* path-unchanged says whether it may */
    }
    if (!mapping) {
        fix_missing(audit,
                    osp_find(audit, server, OSP_ERROR, OSP_RULE_REFERENCED_CONTENT, module,
                             "no mapping of %s leads /%s/ to a back end",
                             osp_server_label(audit, server), name),
                    server, name);
    }
    else if (mapping->kind == OSP_MAP_EXCLUDE) {
        osp_fix_delete(audit,
                       osp_find(audit, server, OSP_ERROR, OSP_RULE_REFERENCED_CONTENT,
                                mapping->line,
                                "%s %s ! keeps clients from module %s, which "
                                "OSProxyModule declares",
                                mapping->line->name, mapping->path, name),
                       mapping->line);
    }
    else if (block != OSP_OPEN && by) {
        finding =
            osp_find(audit, server, block == OSP_BLOCKED_FOR_ALL ? OSP_ERROR : OSP_NOTE,
                     OSP_RULE_REFERENCED_CONTENT, by,
                     "%s %s %s module %s, which OSProxyModule "
                     "declares",
                     by->name, by->args,
                     block == OSP_BLOCKED_FOR_ALL ? "refuses everybody" : "refuses some", name);
        if (by->word == OSP_W_REQUIRE) {
            osp_fix_replace(audit, finding, by, "Require all granted");
        }
        else {
            osp_fix_delete(audit, finding, by);
        }
    }
}

/* What phones and browsers need of the platform itself, where it is routed. */
static void check_open(osp_audit *audit, osp_server *server)
{
    static const char *const open[] = {"NativeAppBuilder", "SecurityUtils"};
    size_t i;

    for (i = 0; i < sizeof open / sizeof open[0]; i++) {
        const char *path = osp_text_format(audit->memory, "/%s/x", open[i]);
        const osp_mapping *mapping = osp_mapping_for(audit->facts, server, path);
        const osp_line *by = NULL;

        if (mapping && mapping->kind != OSP_MAP_EXCLUDE
            && osp_path_block(audit, server, path, &by) == OSP_BLOCKED_FOR_ALL && by
            && by->word == OSP_W_REQUIRE && by->section
            && osp_text_holds(by->section->pattern, open[i])) {
            osp_fix_replace(audit,
                            osp_find(audit, server, OSP_WARNING, OSP_RULE_REFERENCED_CONTENT, by,
                                     "/%s must stay open to phones and browsers", open[i]),
                            by, "Require all granted");
        }
    }
}

/* ---- mappings ------------------------------------------------------------------------------ */

static bool same_target(const osp_mapping *a, const osp_mapping *b)
{
    return a->kind == b->kind && strcmp(a->target.scheme, b->target.scheme) == 0
           && osp_text_is(a->target.host, b->target.host) && a->target.port == b->target.port;
}

/* A path that the later mapping is meant for. */
static const char *example(const osp_audit *audit, const osp_mapping *mapping)
{
    const char *path = mapping->path;
    size_t length;

    if (mapping->is_regex) {
        path += *path == '^';
        length = strcspn(path, "\\.*+?[]{}()|$^");
        return length > 1 ? osp_text_format(audit->memory, "%.*sx", (int)length, path) : NULL;
    }
    length = strlen(path);
    return length
               ? osp_text_format(audit->memory, "%s%sx", path, path[length - 1] == '/' ? "" : "/")
               : NULL;
}

/* For each plain ProxyPass of the list, the first one before it that takes all of its paths. A map
 * of the prefixes seen answers without comparing each with each. */
static const osp_mapping *shadow(osp_audit *audit, osp_map *seen, const char *path)
{
    char *prefix = osp_text_copy(audit->memory, path, strlen(path));
    size_t length = strlen(prefix);

    for (;;) {
        const osp_mapping *found;

        while (length > 1 && prefix[length - 1] == '/') {
            prefix[--length] = '\0';
        }
        found = osp_map_get(seen, prefix);
        if (found && strncmp(found->path, path, strlen(prefix)) == 0) {
            return found;
        }
        if (length <= 1) {
            return NULL;
        }
        while (length > 1 && prefix[length - 1] != '/') {
            prefix[--length] = '\0';
        }
    }
}

static bool is_declared(const osp_server *server, const char *path)
{
    int i;

    for (i = 0; i < server->module_count; i++) {
        if (begins_with(path, osp_line_arg(server->modules[i], 0))) {
            return true;
        }
    }
    return false;
}

static void report_shadow(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                          const osp_mapping *by)
{
    osp_finding *finding;

    if (same_target(mapping, by)
        || (by->kind == OSP_MAP_EXCLUDE && is_declared(server, mapping->path))) {
        return; /* nothing is lost, or check_module() says it */
    }
    finding =
        osp_find(audit, server, OSP_WARNING, OSP_RULE_REFERENCED_CONTENT, mapping->line,
                 "%s %s is never used: %s %s in line %d takes its requests first",
                 mapping->line->name, mapping->path, by->line->name, by->path, by->line->line);
    osp_fix_before(
        audit, finding, by->line,
        osp_text_format(audit->memory, "%s %s", mapping->line->name, mapping->line->args));
    osp_fix_delete(audit, finding, mapping->line);
}

static void check_shadows(osp_audit *audit, osp_server *server)
{
    osp_map seen = {.memory = audit->memory};
    const osp_mapping *regex = NULL;
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];
        const osp_mapping *by = NULL;
        const char *path = example(audit, mapping);

        if ((mapping->line->word != OSP_W_PROXY_PASS
             && mapping->line->word != OSP_W_PROXY_PASS_MATCH)
            || mapping->line->section) {
            continue;
        }
        if (!path) { /* too general for an example, but it takes what others were meant for */
            regex = regex || !mapping->is_regex ? regex : mapping;
            continue;
        }
        by = shadow(audit, &seen, mapping->is_regex ? path : mapping->path);
        if (!by && regex && osp_mapping_covers(audit->facts, regex, path)) {
            by = regex;
        }
        if (by) {
            report_shadow(audit, server, mapping, by);
        }
        else if (!mapping->is_regex) {
            size_t length = strlen(mapping->path);
            char *key = osp_text_copy(audit->memory, mapping->path, length);

            while (length > 1 && key[length - 1] == '/') {
                key[--length] = '\0';
            }
            osp_map_add(&seen, key, (void *)mapping);
        }
        else if (!regex) {
            regex = mapping;
        }
    }
}

/* A regular expression whose module name ends nowhere: ^/App also takes /AppAdmin/. */
static void check_boundary(osp_audit *audit, osp_server *server, const osp_mapping *mapping)
{
    const char *pattern = mapping->path;
    size_t begin = *pattern == '^', length;
    const char *path;

    if (!mapping->is_regex || mapping->path_arg < 0 || mapping->kind == OSP_MAP_EXCLUDE
        || pattern[begin] != '/') {
        return;
    }
    length = begin + 1
             + strspn(pattern + begin + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (length == begin + 1 || pattern[length] == '/') {
        return;
    }
    path = osp_text_format(audit->memory, "%.*sAdmin/x", (int)(length - begin), pattern + begin);
    if (audit->facts->matches(audit->facts->baton, pattern, path) != 1) {
        return;
    }
    osp_fix_replace(audit,
                    osp_find(audit, server, OSP_WARNING, OSP_RULE_REFERENCED_CONTENT, mapping->line,
                             "%s %s has no slash behind the module's name: it takes %.*s/ as well",
                             mapping->line->name, pattern, (int)strlen(path) - 2, path),
                    mapping->line,
                    osp_line_with(audit->memory, mapping->line, mapping->path_arg,
                                  osp_text_format(audit->memory, "%.*s(?=/|$)%s", (int)length,
                                                  pattern, pattern + length)));
}

void osp_check_referenced_content(osp_audit *audit, osp_server *server)
{
    int i;

    for (i = 0; i < server->module_count; i++) {
        if (osp_server_proxies(server) || server->modules[i]->server == server) {
            check_module(audit, server, server->modules[i]);
        }
    }
    if (!osp_server_proxies(server)) {
        return;
    }
    check_open(audit, server);
    check_shadows(audit, server);
    for (i = 0; i < server->mapping_count; i++) {
        check_boundary(audit, server, &server->mappings[i]);
    }
}
