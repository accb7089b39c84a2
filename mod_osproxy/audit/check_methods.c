/*
 * check_methods.c: rule methods: lists of allowed methods that forget PATCH, which Server.API uses.
 */
#include "check.h"

#include <string.h>

static bool refuses(const osp_facts *facts, const osp_server *server, const osp_section *section)
{
    static const enum osp_word words[] = {OSP_W_REQUIRE, OSP_W_DENY};
    const osp_line *line;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        OSP_EACH_LINE(facts, server, words[i], line) {
            bool denies = words[i] == OSP_W_DENY || osp_text_is(osp_line_arg(line, 1), "denied");

            if (line->section && line->section->line == section->line && denies) {
                return true;
            }
        }
    }
    return false;
}

/* Sections carry their line; the line of a <Limit> leads to what stands in it by comparison. */
static void check_limits(osp_audit *audit, osp_server *server, enum osp_word word)
{
    const osp_line *line;

    OSP_EACH_LINE(audit->facts, server, word, line) {
        int at = osp_line_find(line, 0, "PATCH");
        osp_section inside = {.kind = OSP_IN_METHODS, .line = line};
        osp_finding *finding;

        if ((at >= 0) == (word == OSP_W_IN_LIMIT_EXCEPT)
            || osp_line_reach(audit, server, line) == OSP_REACHES_NOTHING
            || !refuses(audit->facts, server, &inside)) {
            continue;
        }
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_METHODS, line,
                           "%s%s refuses PATCH, which Server.API uses", line->name,
                           word == OSP_W_IN_LIMIT_EXCEPT ? "> without PATCH" : " PATCH>");
        if (word == OSP_W_IN_LIMIT_EXCEPT) {
            osp_fix_replace(audit, finding, line, osp_line_plus(audit->memory, line, "PATCH"));
        }
        else if (line->count > 1) {
            osp_fix_replace(audit, finding, line, osp_line_with(audit->memory, line, at, NULL));
        }
        else {
            osp_fix_replace(audit, finding, line, "<Limit CONNECT>");
        }
    }
}

static void check_allow(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    OSP_EACH_LINE(audit->facts, server, OSP_W_ALLOW_METHODS, line) {
        if (osp_line_find(line, 0, "PATCH") < 0 && osp_line_find(line, 0, "reset") < 0
            && osp_line_reach(audit, server, line) != OSP_REACHES_NOTHING) {
            osp_fix_replace(audit,
                            osp_find(audit, server, OSP_WARNING, OSP_RULE_METHODS, line,
                                     "AllowMethods without PATCH, which Server.API uses"),
                            line, osp_line_plus(audit->memory, line, "PATCH"));
        }
    }
}

/* RewriteCond %{REQUEST_METHOD} … above RewriteRule … [F]. */
static void check_rewrite(osp_audit *audit, osp_server *server)
{
    const osp_facts *facts = audit->facts;
    const osp_line *line, *rule;

    for (line = server->first[OSP_W_REWRITE_COND]; line; line = line->next) {
        const char *pattern = osp_line_arg(line, 1), *paren;
        bool negated = *pattern == '!', hit;
        const char *flags;

        if (!osp_text_is(osp_line_arg(line, 0), "%{REQUEST_METHOD}")) {
            continue;
        }
        hit = facts->matches(facts->baton, pattern + negated, "PATCH") == 1;
        for (rule = server->first[OSP_W_REWRITE_RULE]; rule; rule = rule->next) {
            if (strcmp(rule->file, line->file) == 0 && rule->line > line->line) {
                break;
            }
        }
        flags = rule ? osp_line_arg(rule, 2) : "";
        if (hit == negated
            || (!strstr(flags, "[F") && !strstr(flags, ",F") && !strstr(flags, "R=405"))) {
            continue;
        }
        paren = strchr(pattern, '(');
        osp_fix_replace(audit,
                        osp_find(audit, server, OSP_WARNING, OSP_RULE_METHODS, line,
                                 "this list of methods refuses PATCH, which Server.API uses"),
                        line,
                        osp_line_with(audit->memory, line, 1,
                                      negated && paren ? osp_text_format(
                                          audit->memory, "%.*sPATCH|%s", (int)(paren + 1 - pattern),
                                          pattern, paren + 1)
                                      : negated ? "!^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$"
                                                : "^(TRACE|TRACK)$"));
    }
}

void osp_check_methods(osp_audit *audit, osp_server *server)
{
    if (!osp_server_proxies(server)) {
        return;
    }
    check_limits(audit, server, OSP_W_IN_LIMIT_EXCEPT);
    check_limits(audit, server, OSP_W_IN_LIMIT);
    check_allow(audit, server);
    check_rewrite(audit, server);
}
