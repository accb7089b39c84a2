/*
 * question.c: what checks ask of facts: which line decides, who answers a request, what a mapping
 * reaches, how a line reads with one word changed.
 */
#include "facts.h"

#include <string.h>

#include "../parse/path.h"

const osp_line *osp_line_outside(const osp_server *server, enum osp_word word)
{
    const osp_line *line, *found = NULL;

    for (line = server->first[word]; line; line = line->next) {
        if (!line->section) {
            found = line;
        }
    }
    return found;
}

const osp_line *osp_setting(const osp_facts *facts, const osp_server *server, enum osp_word word)
{
    const osp_line *line = osp_line_outside(server, word);

    return line || server == facts->main ? line : osp_line_outside(facts->main, word);
}

const osp_line *osp_setting_in(const osp_facts *facts, const osp_server *server,
                               const osp_section *section, enum osp_word word)
{
    const osp_line *line, *found = NULL;

    for (; section; section = section->parent) {
        for (line = section->line->server->first[word]; line; line = line->next) {
            found = line->section == section ? line : found;
        }
        if (found) {
            return found;
        }
    }
    return osp_setting(facts, server, word);
}

const osp_line *osp_line_first(const osp_facts *facts, const osp_server *server, enum osp_word word)
{
    return server->first[word] ? server->first[word] : facts->main->first[word];
}

const osp_line *osp_line_next(const osp_facts *facts, const osp_line *line)
{
    if (line->next || line->server == facts->main) {
        return line->next;
    }
    return facts->main->first[line->word];
}

static bool read_rule(const osp_line *line, enum osp_rule_id rule, int *mode, const char **reason)
{
    if (line->word != OSP_W_OSP_RULE
        || !osp_text_is(osp_line_arg(line, 0), osp_rule_get(rule)->name)) {
        return false;
    }
    *mode = osp_text_is(osp_line_arg(line, 1), "off")      ? OSP_OFF
            : osp_text_is(osp_line_arg(line, 1), "report") ? OSP_REPORT
                                                           : OSP_ENFORCE;
    *reason = osp_line_arg(line, 2);
    return true;
}

enum osp_engine_fact osp_engine_read(const osp_line *line)
{
    const char *value = osp_line_arg(line, 0);

    return osp_text_is(value, "On")       ? OSP_AUDIT_ON
           : osp_text_is(value, "Report") ? OSP_AUDIT_REPORT
                                          : OSP_AUDIT_OFF;
}

static const osp_line *outside_rule(const osp_server *server, enum osp_rule_id rule, int *mode,
                                    const char **reason)
{
    const osp_line *line, *found = NULL;

    for (line = server->first[OSP_W_OSP_RULE]; line; line = line->next) {
        if (!line->section && read_rule(line, rule, mode, reason)) {
            found = line;
        }
    }
    return found;
}

enum osp_mode osp_facts_mode(const osp_facts *facts, const osp_server *server,
                             const osp_section *section, enum osp_rule_id rule, const char **reason,
                             const osp_line **where)
{
    enum osp_engine_fact engine = server->engine;
    const osp_line *found = NULL;
    int mode = OSP_ENFORCE, i;
    bool engine_found = false;

    *reason = NULL;
    for (; section; section = section->parent) {
        for (i = section->rule_count - 1; i >= 0; i--) {
            const osp_line *line = section->rules[i];

            if (!found && read_rule(line, rule, &mode, reason)) {
                found = line;
            }
            else if (!engine_found && line->word == OSP_W_OSP_ENGINE) {
                engine = facts->survey ? OSP_AUDIT_ON : osp_engine_read(line);
                engine_found = true;
            }
        }
    }
    if (!found) {
        found = outside_rule(server, rule, &mode, reason);
    }
    if (!found && server != facts->main) {
        found = outside_rule(facts->main, rule, &mode, reason);
    }
    *where = found;
    if (engine == OSP_AUDIT_OFF) {
        *reason = NULL;
        return OSP_OFF;
    }
    return engine == OSP_AUDIT_REPORT && mode == OSP_ENFORCE ? OSP_REPORT : (enum osp_mode)mode;
}

/* As httpd compares: slashes count once, and a prefix ends where a segment does. */
static bool prefix_covers(const char *prefix, const char *path)
{
    const char *begin = prefix;

    while (*prefix) {
        if (*prefix == '/') {
            if (*path != '/') {
                return false;
            }
            while (*prefix == '/') {
                prefix++;
            }
            while (*path == '/') {
                path++;
            }
        }
        else if (*prefix++ != *path++) {
            return false;
        }
    }
    return prefix == begin || prefix[-1] == '/' || !*path || *path == '/';
}

bool osp_section_covers(const osp_facts *facts, const osp_section *section, const char *path)
{
    for (; section; section = section->parent) {
        switch (section->kind) {
        case OSP_IN_LOCATION:
            if (strpbrk(section->pattern, "*?[") ? !osp_text_globs(section->pattern, path)
                                                 : !prefix_covers(section->pattern, path)) {
                return false;
            }
            break;
        case OSP_IN_LOCATION_MATCH:
            if (facts->matches(facts->baton, section->pattern, path) != 1) {
                return false;
            }
            break;
        case OSP_IN_FILES:
            return false;
        default:
            break;
        }
    }
    return true;
}

bool osp_mapping_covers(const osp_facts *facts, const osp_mapping *mapping, const char *path)
{
    const char *file = mapping->line->section ? path : NULL;

    if (file && !osp_section_covers(facts, mapping->line->section, path)) {
        return false;
    }
    if (!*mapping->path) {
        return true;
    }
    if (!mapping->is_regex) {
        return prefix_covers(mapping->path, path);
    }
    /* in a section, RewriteRule sees the path without its first slash or the section's prefix */
    return facts->matches(facts->baton, mapping->path, path) == 1
           || (mapping->kind == OSP_MAP_REWRITE && file && *path == '/'
               && facts->matches(facts->baton, mapping->path, path + 1) == 1);
}

const osp_mapping *osp_mapping_for(const osp_facts *facts, const osp_server *server,
                                   const char *path)
{
    const osp_mapping *found = NULL;
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];

        /* a rewrite runs before, a section's own ProxyPass wins over the list */
        if ((!found || mapping->kind == OSP_MAP_REWRITE || mapping->line->section)
            && osp_mapping_covers(facts, mapping, path)) {
            if (found && found->kind == OSP_MAP_REWRITE) {
                continue;
            }
            found = mapping;
        }
    }
    return found;
}

bool osp_server_listens(const osp_server *server, int port)
{
    int i;

    for (i = 0; i < server->address_count; i++) {
        if (server->addresses[i].port == port || server->addresses[i].port == 0) {
            return true;
        }
    }
    return false;
}

bool osp_server_bears(const osp_server *server, const char *name)
{
    int i;

    for (i = 0; i < server->name_count; i++) {
        if (osp_text_globs(server->names[i], name)) {
            return true;
        }
    }
    return false;
}

bool osp_host_is_any(const char *host)
{
    return strcmp(host, "*") == 0 || osp_text_is(host, "_default_") || strcmp(host, "0.0.0.0") == 0
           || strcmp(host, "[::]") == 0;
}

bool osp_servers_meet(const osp_server *a, const osp_server *b)
{
    int i, j;

    for (i = 0; i < a->address_count; i++) {
        for (j = 0; j < b->address_count; j++) {
            const osp_address *x = &a->addresses[i], *y = &b->addresses[j];

            if ((osp_text_is(x->host, y->host)
                 || (osp_host_is_any(x->host) && osp_host_is_any(y->host)))
                && (x->port == y->port)) {
                return true;
            }
        }
    }
    return false;
}

osp_server *osp_server_named(const osp_facts *facts, const char *name, int port)
{
    osp_server *found =
        osp_map_get(&facts->named, osp_text_format(facts->memory, "%s:%d", name, port));
    osp_server *any = osp_map_get(&facts->named, osp_text_format(facts->memory, "%s:0", name));
    int i;

    found = !found || (any && any->index < found->index) ? any : found;
    for (i = 0; i < facts->glob_count; i++) {
        osp_server *server = facts->globs[i];

        if ((!found || server->index < found->index) && osp_server_listens(server, port)
            && osp_server_bears(server, name)) {
            found = server;
        }
    }
    return found;
}

bool osp_server_proxies(const osp_server *server)
{
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        if (server->mappings[i].kind != OSP_MAP_EXCLUDE) {
            return true;
        }
    }
    return false;
}

static enum osp_reach module_reach(const osp_line *module)
{
    const char *kind = osp_line_arg(module, 1);

    if (!*kind) {
        return OSP_REACHES_UNKNOWN;
    }
    return osp_text_is(kind, "traditional") ? OSP_REACHES_TRADITIONAL : OSP_REACHES_STRICT;
}

enum osp_reach osp_server_reach(const osp_server *server)
{
    enum osp_reach most = OSP_REACHES_NOTHING;
    int i;

    for (i = 0; i < server->module_count; i++) {
        enum osp_reach reach = module_reach(server->modules[i]);

        most = reach > most ? reach : most;
    }
    return most == OSP_REACHES_NOTHING ? OSP_REACHES_UNKNOWN : most;
}

enum osp_reach osp_path_reach(const osp_facts *facts, const osp_server *server, const char *path)
{
    osp_span name = osp_path_module(osp_span_of(path));
    int i;

    (void)facts;
    if (!name.n) {
        return osp_server_reach(server);
    }
    for (i = server->module_count - 1; i >= 0; i--) {
        if (osp_span_eq_nocase(name, osp_line_arg(server->modules[i], 0))) {
            return module_reach(server->modules[i]);
        }
    }
    return OSP_REACHES_UNKNOWN;
}

enum osp_reach osp_section_reach(const osp_facts *facts, const osp_server *server,
                                 const osp_section *section)
{
    const osp_section *by_path = section;
    enum osp_reach most = OSP_REACHES_NOTHING;
    int i;

    while (by_path && by_path->kind != OSP_IN_LOCATION && by_path->kind != OSP_IN_LOCATION_MATCH) {
        if (by_path->kind == OSP_IN_FILES) {
            return OSP_REACHES_NOTHING;
        }
        by_path = by_path->parent;
    }
    if (!by_path) {
        return osp_server_reach(server);
    }
    for (i = 0; i < server->module_count; i++) {
        const char *path =
            osp_text_format(facts->memory, "/%s/x", osp_line_arg(server->modules[i], 0));

        if (osp_section_covers(facts, section, path)) {
            enum osp_reach reach = module_reach(server->modules[i]);

            most = reach > most ? reach : most;
        }
    }
    if (most != OSP_REACHES_NOTHING) {
        return most;
    }
    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];
        enum osp_reach reach = OSP_REACHES_NOTHING;

        if (mapping->kind == OSP_MAP_PREFIX && !mapping->is_regex
            && osp_section_covers(facts, section,
                                  osp_text_format(facts->memory, "%s/x", mapping->path))) {
            reach = osp_path_reach(facts, server, mapping->path);
        }
        else if (by_path->kind == OSP_IN_LOCATION && mapping->kind != OSP_MAP_EXCLUDE
                 && osp_mapping_for(facts, server, by_path->pattern) == mapping) {
            reach = osp_path_reach(facts, server, by_path->pattern);
        }
        most = reach > most ? reach : most;
    }
    if (most != OSP_REACHES_NOTHING || by_path->kind == OSP_IN_LOCATION) {
        return most;
    }
    return server->module_count ? OSP_REACHES_NOTHING : OSP_REACHES_UNKNOWN;
}

const char *osp_line_param(const osp_line *line, int from, const char *key, int *at)
{
    size_t length = strlen(key);
    const char *value = NULL;
    int i;

    for (i = from; i < line->count; i++) {
        const char *arg = line->arg[i].text;

        if (osp_text_begins(arg, key) && arg[length] == '=') {
            value = arg + length + 1;
            *at = i;
        }
    }
    return value;
}

const char *osp_worker_param(const osp_mapping *mapping, const osp_member *member, const char *key,
                             const osp_line **where, int *at)
{
    const osp_line *line = NULL;
    const char *value = NULL;
    int place = 0, i;

    if (member) {
        line = member->line;
        value = osp_line_param(line, member->url_arg + 1, key, &place);
    }
    if (!value && (mapping->kind == OSP_MAP_PREFIX || mapping->kind == OSP_MAP_REGEX)) {
        line = mapping->line;
        value = osp_line_param(line, mapping->url_arg + 1, key, &place);
    }
    for (i = mapping->pool ? mapping->pool->set_count - 1 : -1; !value && i >= 0; i--) {
        line = mapping->pool->sets[i];
        value = osp_line_param(line, 0, key, &place);
    }
    if (where) {
        *where = value ? line : NULL;
    }
    if (at) {
        *at = place;
    }
    return value;
}

osp_target osp_target_read(const osp_memory *memory, const char *url)
{
    osp_target target = {"", "", 0, ""};
    const char *authority = strstr(url, "://"), *end, *colon, *c, *rest;

    if (!authority) {
        return target;
    }
    target.scheme = osp_text_lower(memory, osp_text_copy(memory, url, (size_t)(authority - url)));
    authority += 3;
    end = authority;
    if (end[0] == '%' && end[1] == '{') {
        end += strcspn(end, "}");
    }
    end += *end ? 1 + strcspn(end + 1, "/?|$%") : 0; /* $1 or %{…} may follow the host at once */
    end = *authority == '/' ? authority : end;
    colon = NULL;
    for (c = authority; c < end; c++) {
        colon = *c == ':' ? c : *c == ']' ? NULL : colon;
    }
    target.host = osp_text_copy(memory, authority, (size_t)((colon ? colon : end) - authority));
    if (colon) {
        long port = osp_text_number(colon + 1, 65535, &rest);

        target.port = port > 0 && rest == end ? (int)port : 0;
    }
    target.path = end;
    return target;
}

/* An argument as it has to be written: in quotes when it needs them. */
static const char *quoted(const osp_memory *memory, const char *value)
{
    osp_out out = {.memory = memory};

    if (*value && !strpbrk(value, " \t\"'\\>")) {
        return value;
    }
    osp_out_put(&out, "\"");
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') {
            osp_out_put(&out, "\\");
        }
        osp_out_add(&out, value, 1);
    }
    osp_out_put(&out, "\"");
    return out.text;
}

const char *osp_line_with(const osp_memory *memory, const osp_line *line, int at, const char *value)
{
    const char *line_rest;
    const osp_arg *arg;
    size_t begin;
    osp_out out = {.memory = memory};

    if (at >= line->count) {
        return osp_line_plus(memory, line, value ? quoted(memory, value) : "");
    }
    arg = &line->arg[at];
    begin = arg->at;
    if (!value) {
        while (begin && (line->args[begin - 1] == ' ' || line->args[begin - 1] == '\t')) {
            begin--;
        }
    }
    osp_out_format(&out, "%s ", line->name);
    osp_out_add(&out, line->args, begin);
    if (value) {
        osp_out_put(&out, quoted(memory, value));
    }
    line_rest = line->args + arg->at + arg->length;
    osp_out_put(&out, value || begin ? line_rest : line_rest + strspn(line_rest, " \t"));
    if (line->name[0] == '<') {
        osp_out_put(&out, ">");
    }
    return out.text;
}

const char *osp_line_plus(const osp_memory *memory, const osp_line *line, const char *words)
{
    return osp_text_format(memory, "%s %s %s%s", line->name, line->args, words,
                           line->name[0] == '<' ? ">" : "");
}

int osp_server_port(const osp_server *server)
{
    return server->address_count ? server->addresses[0].port : 0;
}
