/*
 * check_path_unchanged.c: rule path-unchanged: mappings that lead to another path, and filters that
 * rewrite what Reactive and Mobile clients verify by checksum.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

enum change { UNKNOWN, SAME, SLASHES, CHANGED, BROKEN };

/* ---- prefixes ------------------------------------------------------------------------------ */

static size_t trimmed(const char *path)
{
    size_t length = strlen(path);

    while (length && path[length - 1] == '/') {
        length--;
    }
    return length;
}

static enum change compare_prefix(const char *from, const char *to)
{
    size_t a = trimmed(from), b = trimmed(to);
    bool from_slash = from[a] == '/', to_slash = to[b] == '/';

    if (from_slash && !to_slash) {
        return BROKEN; /* /App/x becomes /Appx */
    }
    if (a != b || strncmp(from, to, a) != 0) {
        return CHANGED;
    }
    return from_slash == to_slash ? SAME : SLASHES;
}

/* ---- regular expressions ------------------------------------------------------------------- */

#define GROUP '\1' /* begins a group's number in a template */

/* The path that a pattern stands for, its groups as numbers: "^/App/(.*)$" -> "/App/\1" "1".
 * False when that cannot be told. */
static bool pattern_template(const char *pattern, osp_out *out)
{
    int group = 0;

    pattern += *pattern == '^';
    for (; *pattern; pattern++) {
        if (*pattern == '\\' && pattern[1] && strchr("./-_~+()", pattern[1])) {
            osp_out_add(out, ++pattern, 1);
        }
        else if (*pattern == '(' && pattern[1] != '?') {
            const char *end = pattern + 1 + strcspn(pattern + 1, "()");

            if (*end != ')') {
                return false;
            }
            osp_out_format(out, "%c%d", GROUP, ++group);
            pattern = end;
        }
        else if (*pattern == '$' && !pattern[1]) {
            break;
        }
        else if (strchr("\\.*+?[]{}()|$^", *pattern)) {
            return false;
        }
        else {
            osp_out_add(out, pattern, 1);
        }
    }
    return true;
}

static bool target_template(const char *path, osp_out *out)
{
    for (; *path && *path != '?'; path++) {
        if (*path == '$' && path[1] >= '0' && path[1] <= '9') {
            osp_out_format(out, "%c%c", GROUP, path[1]);
            path++;
        }
        else if (*path == '%' && path[1] == '{') {
            return false;
        }
        else {
            osp_out_add(out, path, 1);
        }
    }
    return true;
}

static enum change compare_regex(const osp_memory *memory, const char *pattern, const char *to,
                                 bool appends)
{
    osp_out a = {.memory = memory}, b = {.memory = memory};

    if (osp_text_begins(to, "%{REQUEST_URI}") || strcmp(to, "$0") == 0) {
        return SAME;
    }
    if (appends && !strchr(to, '$')) { /* ProxyPassMatch then adds the whole path */
        return !*to ? SAME : strcmp(to, "/") == 0 ? SLASHES : CHANGED;
    }
    osp_out_put(&a, "");
    osp_out_put(&b, "");
    if (!pattern_template(pattern, &a) || !target_template(to, &b)
        || (a.text[0] != '/' && a.text[0] != GROUP)) {
        return UNKNOWN;
    }
    return strcmp(a.text, b.text) == 0 ? SAME : CHANGED;
}

/* ---- mappings ------------------------------------------------------------------------------ */

/* The path that a mapping leads to; a member's own path comes in front. */
static const char *path_sent(const osp_audit *audit, const osp_mapping *mapping,
                             const osp_member *member)
{
    if (!member || !trimmed(member->target.path)) {
        return mapping->target.path;
    }
    return osp_text_format(audit->memory, "%.*s%s", (int)trimmed(member->target.path),
                           member->target.path, mapping->target.path);
}

static enum change change_of(const osp_audit *audit, const osp_mapping *mapping, const char *to)
{
    switch (mapping->kind) {
    case OSP_MAP_PREFIX:
        return mapping->is_regex ? UNKNOWN : compare_prefix(mapping->path, to);
    case OSP_MAP_HANDLER:
        return CHANGED;
    case OSP_MAP_REGEX:
        return mapping->path_arg < 0 ? UNKNOWN
                                     : compare_regex(audit->memory, mapping->path, to, true);
    case OSP_MAP_REWRITE:
        return mapping->line->section ? UNKNOWN
                                      : compare_regex(audit->memory, mapping->path, to, false);
    default:
        return SAME;
    }
}

/* The literal beginning of a path or of a regular expression. */
static const char *beginning(const osp_audit *audit, const osp_mapping *mapping)
{
    const char *path = mapping->path;

    if (!mapping->is_regex) {
        return path;
    }
    path += *path == '^';
    return osp_text_copy(audit->memory, path, strcspn(path, "\\.*+?[]{}()|$^"));
}

static const char *mapping_line(const osp_audit *audit, const osp_mapping *mapping,
                                const char *path)
{
    const osp_line *line = mapping->line;
    const osp_target *target = &mapping->target;
    const char *rest =
        mapping->url_arg + 1 < line->count ? line->args + line->arg[mapping->url_arg + 1].at : "";
    const char *slash = *path == '/' ? "" : "/";
    const char *port = target->port ? osp_text_format(audit->memory, ":%d", target->port) : "";

    if (mapping->kind != OSP_MAP_PREFIX && mapping->kind != OSP_MAP_REGEX) {
        rest = ""; /* flags of a rewrite */
    }
    if (!strstr(rest, "ttl=") && strcmp(target->scheme, "balancer") != 0) {
        rest = osp_text_format(audit->memory, "%s%sttl=60", rest, *rest ? " " : "");
    }
    return osp_text_format(audit->memory, "ProxyPass \"%s%s\" \"%s://%s%s%s%s\"%s%s", slash, path,
                           target->scheme, target->host, port, slash, path, *rest ? " " : "", rest);
}

/* Each declared module that no other mapping takes, under its own path. */
static const char *module_lines(const osp_audit *audit, const osp_server *server,
                                const osp_mapping *mapping)
{
    osp_out out = {.memory = audit->memory};
    int i;

    for (i = 0; i < server->module_count; i++) {
        const char *path =
            osp_text_format(audit->memory, "/%s", osp_line_arg(server->modules[i], 0));
        const osp_mapping *other = osp_mapping_for(audit->facts, server, path);

        if (other && other != mapping) {
            continue;
        }
        osp_out_format(&out, "%s%s", out.length ? "\n" : "", mapping_line(audit, mapping, path));
    }
    return out.text;
}

static void fix_mapping(osp_audit *audit, osp_finding *finding, const osp_server *server,
                        const osp_mapping *mapping, const char *to)
{
    const osp_line *line = mapping->line;
    const char *literal = osp_text_copy(audit->memory, to, strcspn(to, "$%?"));
    const char *own = trimmed(literal) ? literal : NULL;
    const char *modules = own ? NULL : module_lines(audit, server, mapping);
    const char *text;

    if (!finding) {
        return;
    }
    if (mapping->kind == OSP_MAP_HANDLER || mapping->path_arg < 0) {
        const char *path = mapping->kind == OSP_MAP_HANDLER && line->section
                                   && line->section->kind == OSP_IN_LOCATION
                               ? line->section->pattern
                               : own;

        if (mapping->kind == OSP_MAP_HANDLER && path && line->section) {
            osp_fix_replace(audit, finding, line,
                            osp_text_format(audit->memory, "ProxyPass \"%s://%s%s\" ttl=60",
                                            mapping->target.scheme, mapping->target.host, path));
        }
        else if (line->section && line->section->kind == OSP_IN_LOCATION && own) {
            osp_fix_replace(audit, finding, line->section->line,
                            osp_line_with(audit->memory, line->section->line, 0, own));
        }
        else {
            osp_fix_replace(
                audit, finding, line,
                osp_line_with(audit->memory, line, mapping->url_arg,
                              osp_text_format(audit->memory, "%s://%s%s", mapping->target.scheme,
                                              mapping->target.host, mapping->path)));
        }
        return;
    }
    text = modules ? modules : mapping_line(audit, mapping, own ? own : "/");
    osp_fix_replace(audit, finding, line, text);
    if (!modules && !own && osp_consoles_are_open(audit, server)) {
        osp_fix_before(audit, finding, line, osp_consoles_section(audit));
    }
}

/* A path that a balancer's member adds goes from there. */
static void fix_member(osp_audit *audit, osp_finding *finding, const osp_member *member)
{
    const osp_line *line = member->line;
    const char *url = osp_line_arg(line, member->url_arg);
    size_t length = strlen(url) - strlen(member->target.path);

    osp_fix_replace(audit, finding, line,
                    osp_line_with(audit->memory, line, member->url_arg,
                                  osp_text_copy(audit->memory, url, length)));
}

static void report_change(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                          const osp_member *member, const char *to)
{
    const char *from = beginning(audit, mapping);
    enum osp_reach a = osp_path_reach(audit->facts, server, from);
    enum osp_reach b = mapping->kind == OSP_MAP_HANDLER
                           ? a
                           : osp_path_reach(audit->facts, server, strchr(to, '$') ? "/" : to);
    const char *whom = "which only Traditional modules bear";
    enum osp_severity severity = OSP_WARNING;
    osp_finding *finding;

    if (mapping->path_arg < 0 && mapping->kind == OSP_MAP_HANDLER) {
        a = osp_section_reach(audit->facts, server, mapping->line->section);
        b = a;
    }
    if (a == OSP_REACHES_STRICT || b == OSP_REACHES_STRICT) {
        severity = OSP_ERROR;
        whom = "where Reactive and Mobile apps do not work";
    }
    else if (a == OSP_REACHES_TRADITIONAL || b == OSP_REACHES_TRADITIONAL) {
        return;
    }
    if (mapping->kind == OSP_MAP_HANDLER) {
        fix_mapping(audit,
                    osp_find(audit, server, severity, OSP_RULE_PATH_UNCHANGED, mapping->line,
                             "SetHandler proxy: sends the path of a file in place of the "
                             "client's path, %s",
                             whom),
                    server, mapping, to);
        return;
    }
    finding = osp_find(audit, server, severity, OSP_RULE_PATH_UNCHANGED, mapping->line,
                       "%s turns %s into %s, %s", mapping->line->name, mapping->path,
                       *to ? to : "/", whom);
    if (member && trimmed(member->target.path)) {
        fix_member(audit, finding, member);
    }
    else {
        fix_mapping(audit, finding, server, mapping, to);
    }
}

static void fix_slash(osp_audit *audit, osp_finding *finding, const osp_mapping *mapping)
{
    const osp_line *line = mapping->line;
    const char *url = osp_line_arg(line, mapping->url_arg);
    bool wanted = *mapping->path && mapping->path[strlen(mapping->path) - 1] == '/';

    osp_fix_replace(audit, finding, line,
                    osp_line_with(audit->memory, line, mapping->url_arg,
                                  wanted ? osp_text_format(audit->memory, "%s/", url)
                                         : osp_text_copy(audit->memory, url, trimmed(url))));
}

static void check_nocanon(osp_audit *audit, osp_server *server, const osp_mapping *mapping)
{
    const osp_line *line = mapping->line;
    enum osp_severity severity =
        osp_severity_for(audit, server, line->section, OSP_RULE_PATH_UNCHANGED);
    osp_finding *finding;

    if (mapping->kind != OSP_MAP_PREFIX
        || osp_line_find(line, mapping->url_arg + 1, "nocanon") > 0) {
        return;
    }
    if (severity == OSP_NOTE) {
        osp_enforced(audit, server, OSP_RULE_PATH_UNCHANGED, line);
        return;
    }
    if (osp_path_reach(audit->facts, server, mapping->path) == OSP_REACHES_TRADITIONAL) {
        return;
    }
    finding =
        osp_find(audit, server, severity, OSP_RULE_PATH_UNCHANGED, line,
                 "%s without nocanon decodes and encodes paths anew: %%7E, // and the like do "
                 "not survive",
                 line->name);
    osp_fix_replace(audit, finding, line, osp_line_plus(audit->memory, line, "nocanon"));
}

static void check_mapping(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                          const osp_member *member)
{
    const char *to = path_sent(audit, mapping, member);
    enum osp_severity severity;

    switch (change_of(audit, mapping, to)) {
    case SAME:
        check_nocanon(audit, server, mapping);
        break;
    case CHANGED:
        report_change(audit, server, mapping, member, to);
        break;
    case BROKEN:
        fix_slash(audit,
                  osp_find(audit, server, OSP_ERROR, OSP_RULE_PATH_UNCHANGED, mapping->line,
                           "%s %s ends in a slash and its target does not: %sx is sent to "
                           "%s://%s%sx",
                           mapping->line->name, mapping->path, mapping->path,
                           mapping->target.scheme, mapping->target.host, to),
                  mapping);
        break;
    case SLASHES:
        severity = osp_severity_for(audit, server, mapping->line->section, OSP_RULE_PATH_UNCHANGED);
        if (mapping->kind == OSP_MAP_PREFIX) {
            fix_slash(audit,
                      osp_find(audit, server, severity, OSP_RULE_PATH_UNCHANGED, mapping->line,
                               "%s %s has no closing slash and its target has one, which "
                               "%s doubled",
                               mapping->line->name, mapping->path,
                               severity == OSP_NOTE ? "would be" : "is"),
                      mapping);
        }
        break;
    default:
        break;
    }
}

/* RewriteRule … [PT]: the path is another one before any mapping sees it. */
static void check_internal(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    for (line = server->first[OSP_W_REWRITE_RULE]; line; line = line->next) {
        const char *flags = osp_line_arg(line, 2), *to = osp_line_arg(line, 1);
        osp_mapping mapping = {
            .kind = OSP_MAP_REWRITE, .path = osp_line_arg(line, 0), .is_regex = true, .line = line};
        enum osp_reach a, b;

        if (line->section || *to != '/' || (!strstr(flags, "[PT") && !strstr(flags, ",PT"))
            || change_of(audit, &mapping, to) != CHANGED) {
            continue;
        }
        a = osp_path_reach(audit->facts, server, beginning(audit, &mapping));
        b = osp_path_reach(audit->facts, server, to);
        if (a != OSP_REACHES_STRICT && b != OSP_REACHES_STRICT
            && (a == OSP_REACHES_TRADITIONAL || b == OSP_REACHES_TRADITIONAL)) {
            continue;
        }
        osp_fix_delete(
            audit,
            osp_find(audit, server,
                     a == OSP_REACHES_STRICT || b == OSP_REACHES_STRICT ? OSP_ERROR : OSP_WARNING,
                     OSP_RULE_PATH_UNCHANGED, line,
                     "RewriteRule turns %s into %s, which only Traditional modules bear",
                     mapping.path, to),
            line);
    }
}

/* ---- bodies -------------------------------------------------------------------------------- */

static bool rewrites_bodies(const osp_audit *audit, const char *filter)
{
    static const char *const filters[] = {
        "SUBSTITUTE", "proxy-html", "Sed", "INCLUDES", "MOD_PAGESPEED_OUTPUT_FILTER",
        "xml2enc",    "LAYOUT"};
    size_t i;

    for (i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        if (osp_text_is(filter, filters[i])) {
            return true;
        }
    }
    return osp_map_get(&audit->facts->filters, filter) != NULL;
}

/* The filter of a list such as "INFLATE;SUBSTITUTE;DEFLATE" that rewrites, NULL when none does. */
static const char *rewriter(const osp_audit *audit, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ";,");
        const char *filter = osp_text_copy(audit->memory, list, length);

        if (rewrites_bodies(audit, filter)) {
            return filter;
        }
        list += length + (list[length] != '\0');
    }
    return NULL;
}

static const char *filter_of(const osp_audit *audit, const osp_line *line)
{
    switch (line->word) {
    case OSP_W_FILTER_PROVIDER:
        return rewriter(audit, osp_line_arg(line, 1));
    case OSP_W_PROXY_HTML:
        return osp_text_is(osp_line_arg(line, 0), "On") ? "proxy-html" : NULL;
    case OSP_W_PAGESPEED:
        return osp_text_is(osp_line_arg(line, 0), "on") ? "mod_pagespeed" : NULL;
    default:
        return rewriter(audit, osp_line_arg(line, 0));
    }
}

static void check_bodies(osp_audit *audit, osp_server *server)
{
    static const enum osp_word words[] = {
        OSP_W_SET_OUTPUT_FILTER, OSP_W_ADD_OUTPUT_FILTER, OSP_W_ADD_OUTPUT_FILTER_BY_TYPE,
        OSP_W_FILTER_PROVIDER,   OSP_W_PROXY_HTML,        OSP_W_PAGESPEED,
    };
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const osp_line *line;

        OSP_EACH_LINE(audit->facts, server, words[i], line) {
            const char *filter = filter_of(audit, line);
            enum osp_reach reach =
                filter ? osp_line_reach(audit, server, line) : OSP_REACHES_NOTHING;

            if (reach >= OSP_REACHES_UNKNOWN) {
                osp_fix_delete(audit,
                               osp_find(audit, server,
                                        reach == OSP_REACHES_STRICT ? OSP_ERROR : OSP_WARNING,
                                        OSP_RULE_PATH_UNCHANGED, line,
                                        "%s rewrites what %s send, and their clients refuse "
                                        "resources whose checksum differs",
                                        filter,
                                        reach == OSP_REACHES_STRICT ? "Reactive or Mobile modules"
                                                                    : "modules of unknown kind"),
                               line);
            }
        }
    }
}

void osp_check_path_unchanged(osp_audit *audit, osp_server *server)
{
    osp_each_worker(audit, server, check_mapping);
    if (osp_server_proxies(server)) {
        check_internal(audit, server);
        check_bodies(audit, server);
    }
}
