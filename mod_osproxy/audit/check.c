/*
 * check.c: the order of the checks, and what several of them ask.
 */
#include "check.h"

#include <string.h>

typedef void check_fn(osp_audit *audit, osp_server *server);

static check_fn *const checks[OSP_RULE_COUNT] = {
    [OSP_RULE_PRESERVE_HOST] = osp_check_preserve_host,
    [OSP_RULE_DEFAULT_PORTS] = osp_check_default_ports,
    [OSP_RULE_NEGOTIATE] = osp_check_negotiate,
    [OSP_RULE_DOMAIN_HTTPS] = osp_check_domain_https,
    [OSP_RULE_PATH_UNCHANGED] = osp_check_path_unchanged,
    [OSP_RULE_NO_CACHE] = osp_check_no_cache,
    [OSP_RULE_KEEP_ALIVE] = osp_check_keep_alive,
    [OSP_RULE_FORWARDED_PROTO] = osp_check_forwarded_proto,
    [OSP_RULE_PINNED_AUTH] = osp_check_pinned_auth,
    [OSP_RULE_REFERENCED_CONTENT] = osp_check_referenced_content,
    [OSP_RULE_CAPACITY] = osp_check_capacity,
    [OSP_RULE_BACKEND_TLS] = osp_check_backend_tls,
    [OSP_RULE_PROXY_TIMEOUT] = osp_check_proxy_timeout,
    [OSP_RULE_BACKEND_TTL] = osp_check_backend_ttl,
    [OSP_RULE_CONSOLES] = osp_check_consoles,
    [OSP_RULE_STICKINESS] = osp_check_stickiness,
    [OSP_RULE_TRUSTED_PROXY] = osp_check_trusted_proxy,
    [OSP_RULE_HTTPONLY_COOKIES] = osp_check_httponly_cookies,
    [OSP_RULE_SECURITY_HEADERS] = osp_check_security_headers,
    [OSP_RULE_METHODS] = osp_check_methods,
    [OSP_RULE_ERROR_OVERRIDE] = osp_check_error_override,
    [OSP_RULE_VIA] = osp_check_via,
};

void osp_check_all(osp_audit *audit)
{
    osp_server *server;
    int rule;

    for (server = audit->facts->main; server; server = server->next) {
        for (rule = 0; server->audited && rule < OSP_RULE_COUNT; rule++) {
            if (server->verdicts[rule].state != OSP_STATE_OFF) {
                checks[rule](audit, server);
            }
        }
    }
}

void osp_each_worker(osp_audit *audit, osp_server *server, osp_worker_fn *fn)
{
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];
        const osp_member *member = NULL;

        if (mapping->kind == OSP_MAP_EXCLUDE) {
            continue;
        }
        if (strcmp(mapping->target.scheme, "balancer") == 0) {
            for (member = mapping->pool ? mapping->pool->members : NULL; member;
                 member = member->next) {
                fn(audit, server, mapping, member);
            }
        }
        else if (*mapping->target.scheme) {
            fn(audit, server, mapping, NULL);
        }
    }
}

int osp_line_find(const osp_line *line, int from, const char *word)
{
    int i;

    for (i = from; i < line->count; i++) {
        if (osp_text_is(line->arg[i].text, word)) {
            return i;
        }
    }
    return -1;
}

osp_header_line osp_header_read(const osp_line *line)
{
    osp_header_line header = {.always = osp_text_is(osp_line_arg(line, 0), "always")};

    header.action = header.always || osp_text_is(osp_line_arg(line, 0), "onsuccess") ? 1 : 0;
    header.name = header.action + 1;
    return header;
}

bool osp_header_is(const osp_line *line, const osp_header_line *header, const char *name)
{
    const char *written = osp_line_arg(line, header->name);
    size_t length = strlen(name);

    return osp_text_begins(written, name)
           && (!written[length] || (written[length] == ':' && !written[length + 1]));
}

enum osp_reach osp_line_reach(const osp_audit *audit, const osp_server *server,
                              const osp_line *line)
{
    return osp_server_proxies(server) ? osp_section_reach(audit->facts, server, line->section)
                                      : OSP_REACHES_NOTHING;
}

/* ---- who may ask for a path ---------------------------------------------------------------- */

static enum osp_block requirement(const osp_line *line)
{
    const char *what = osp_line_arg(line, 0);

    if (line->word == OSP_W_DENY) {
        return osp_text_is(osp_line_arg(line, 1), "all") ? OSP_BLOCKED_FOR_ALL
                                                         : OSP_BLOCKED_FOR_SOME;
    }
    if (osp_text_is(what, "all")) {
        return osp_text_is(osp_line_arg(line, 1), "denied") ? OSP_BLOCKED_FOR_ALL : OSP_OPEN;
    }
    if (osp_text_is(what, "method") || osp_text_is(what, "not") || osp_text_is(what, "env")) {
        return OSP_OPEN;
    }
    return OSP_BLOCKED_FOR_SOME;
}

/* Sections that apply to path; within one, `Require ip` beside `Require all denied` lets some
 * in. */
static enum osp_block by_section(const osp_audit *audit, const osp_server *server,
                                 enum osp_word word, const char *path, const osp_line **by)
{
    enum osp_block block = OSP_OPEN;
    const osp_section *last = NULL;
    const osp_line *line;

    OSP_EACH_LINE(audit->facts, server, word, line) {
        const osp_section *section = line->section;
        enum osp_block one;

        while (section && section->kind == OSP_IN_OTHER) {
            section = section->parent; /* RequireAny and the like */
        }
        if (!section || section->kind == OSP_IN_METHODS || section->kind == OSP_IN_PROXY
            || section->kind == OSP_IN_CONDITION
            || !osp_section_covers(audit->facts, section, path)) {
            continue;
        }
        one = requirement(line);
        if (section == last && one != OSP_OPEN && block != OSP_OPEN) {
            one = one < block ? one : block;
        }
        if (section != last || one != block) {
            *by = one == OSP_OPEN ? NULL : line;
        }
        block = one;
        last = section;
    }
    return block;
}

enum condition { ALWAYS, BY_SCHEME, BY_ADDRESS, BY_SOMETHING };

/* What the conditions between the rule before and this one look at. */
static enum condition condition_of(const osp_server *server, const osp_line *before,
                                   const osp_line *rule)
{
    enum condition condition = ALWAYS;
    const osp_line *cond;

    for (cond = server->first[OSP_W_REWRITE_COND]; cond; cond = cond->next) {
        const char *what = osp_line_arg(cond, 0);
        enum condition one;

        if (strcmp(cond->file, rule->file) != 0 || cond->line > rule->line
            || (before && strcmp(before->file, rule->file) == 0 && cond->line < before->line)) {
            continue;
        }
        one = osp_text_holds(what, "HTTPS") || osp_text_holds(what, "SERVER_PORT")
                      || osp_text_holds(what, "X-Forwarded-Proto")
                  ? BY_SCHEME
              : osp_text_holds(what, "REMOTE_") || osp_text_holds(what, "X-Forwarded-For")
                  ? BY_ADDRESS
                  : BY_SOMETHING;
        condition = one > condition ? one : condition;
    }
    return condition;
}

/* Whether one of the flags begins with this letter: F, G, R=301. */
static bool has_one(const char *flags, char flag)
{
    for (; *flags; flags++) {
        if (strchr("[, ", *flags) && flags[1] == flag) {
            return true;
        }
    }
    return false;
}

/* RewriteRule … [F], [G], [R] that take the requests for path. */
static enum osp_block by_rewrite(const osp_audit *audit, const osp_server *server, const char *path,
                                 const osp_line **by)
{
    const osp_facts *facts = audit->facts;
    const osp_line *line, *before = NULL;

    for (line = server->first[OSP_W_REWRITE_RULE]; line; before = line, line = line->next) {
        const char *flags = osp_line_arg(line, 2);
        bool refuses = has_one(flags, 'F') || has_one(flags, 'G');
        enum condition condition;

        if ((!refuses && !has_one(flags, 'R')) || !osp_section_covers(facts, line->section, path)
            || facts->matches(facts->baton, osp_line_arg(line, 0), path) != 1) {
            continue;
        }
        condition = condition_of(server, before, line);
        if (condition == BY_SOMETHING || (condition == BY_ADDRESS && !refuses)) {
            continue;
        }
        *by = line;
        return !refuses                  ? OSP_REDIRECTED
               : condition == BY_ADDRESS ? OSP_BLOCKED_FOR_SOME
                                         : OSP_BLOCKED_FOR_ALL;
    }
    return OSP_OPEN;
}

/* mod_proxy takes a request before mod_alias does, whatever stands first in the file; only a Redirect
 * in a section comes earlier still, and SetHandler takes what is left. */
static bool is_proxied_first(const osp_audit *audit, const osp_server *server, const char *path,
                             const osp_line *redirect)
{
    const osp_mapping *mapping =
        redirect->section ? NULL : osp_mapping_for(audit->facts, server, path);

    return mapping && mapping->kind != OSP_MAP_EXCLUDE && mapping->kind != OSP_MAP_HANDLER;
}

static enum osp_block by_redirect(const osp_audit *audit, const osp_server *server,
                                  const char *path, const osp_line **by)
{
    static const enum osp_word words[] = {OSP_W_REDIRECT, OSP_W_REDIRECT_PERMANENT,
                                          OSP_W_REDIRECT_TEMP, OSP_W_REDIRECT_MATCH};
    const osp_facts *facts = audit->facts;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const osp_line *line;

        OSP_EACH_LINE(facts, server, words[i], line) {
            const char *first = osp_line_arg(line, 0);
            bool has_status = osp_text_is(first, "permanent") || osp_text_is(first, "temp")
                              || osp_text_is(first, "seeother") || osp_text_is(first, "gone")
                              || (first[0] >= '1' && first[0] <= '9');
            const char *from = osp_line_arg(line, has_status ? 1 : 0);
            size_t length = strlen(from);
            bool hit =
                words[i] == OSP_W_REDIRECT_MATCH
                    ? facts->matches(facts->baton, from, path) == 1
                    : *from == '/' && strncmp(from, path, length) == 0
                          && (from[length - 1] == '/' || !path[length] || path[length] == '/');

            if (!hit || !osp_section_covers(facts, line->section, path)
                || is_proxied_first(audit, server, path, line)) {
                continue;
            }
            *by = line;
            return osp_text_is(first, "gone") || first[0] == '4' ? OSP_BLOCKED_FOR_ALL
                                                                 : OSP_REDIRECTED;
        }
    }
    return OSP_OPEN;
}

enum osp_block osp_path_block(const osp_audit *audit, const osp_server *server, const char *path,
                              const osp_line **by)
{
    enum osp_block block;

    *by = NULL;
    block = by_rewrite(audit, server, path, by);
    if (block == OSP_OPEN) {
        block = by_redirect(audit, server, path, by);
    }
    if (block == OSP_OPEN) {
        block = by_section(audit, server, OSP_W_REQUIRE, path, by);
    }
    if (block == OSP_OPEN) {
        block = by_section(audit, server, OSP_W_DENY, path, by);
    }
    return block;
}

const char *osp_server_label(const osp_audit *audit, const osp_server *server)
{
    int port = osp_server_port(server);

    return port ? osp_text_format(audit->memory, "%s:%d", server->name, port) : server->name;
}
