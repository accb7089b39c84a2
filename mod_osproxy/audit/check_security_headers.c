/*
 * check_security_headers.c: rule security-headers: the platform sends CSP and HSTS itself; a second
 * one, or another one in its place, conflicts.
 */
#include "check.h"

static const char *const names[] = {
    "Content-Security-Policy",
    "Strict-Transport-Security",
};

/* What is wrong with the line, NULL when nothing is. A plain `set` of HSTS leaves one header. */
static const char *fault(const osp_header_line *header, const char *action, size_t which)
{
    if (osp_text_is(action, "setifempty") && !header->always) {
        return NULL;
    }
    if (osp_text_is(action, "set") && !header->always) {
        return which == 0 ? "replaces the policy that OutSystems sends" : NULL;
    }
    if (osp_text_is(action, "set") || osp_text_is(action, "setifempty")
        || osp_text_is(action, "add") || osp_text_is(action, "append")
        || osp_text_is(action, "merge")) {
        return "puts a second one beside the one that OutSystems sends";
    }
    return NULL;
}

/* "expr=… -z %{resp:Name} …", or -z resp('Name'): only where the answer has none, in either of httpd's
 * tables of response headers. */
static bool asks_first(const osp_line *line, const char *name)
{
    const char *condition = osp_line_arg(line, line->count - 1);

    return osp_text_begins(condition, "expr=") && osp_text_holds(condition, "-z")
           && osp_text_holds(condition, "resp") && osp_text_holds(condition, name)
           && !osp_text_holds(condition, "||");
}

void osp_check_security_headers(osp_audit *audit, osp_server *server)
{
    const osp_line *line;
    size_t i;

    OSP_EACH_LINE(audit->facts, server, OSP_W_HEADER, line) {
        osp_header_line header = osp_header_read(line);
        const char *action = osp_line_arg(line, header.action);

        for (i = 0; i < sizeof names / sizeof names[0]; i++) {
            const char *what = fault(&header, action, i);
            const osp_arg *name;

            if (!what || !osp_header_is(line, &header, names[i]) || asks_first(line, names[i])
                || osp_line_reach(audit, server, line) == OSP_REACHES_NOTHING) {
                continue;
            }
            name = &line->arg[header.name];
            osp_fix_replace(
                audit,
                osp_find(audit, server, OSP_WARNING, OSP_RULE_SECURITY_HEADERS, line,
                         "Header %s%s %s %s: browsers obey both, or the stricter",
                         header.always ? "always " : "", action, names[i], what),
                line,
                osp_text_format(audit->memory, "Header setifempty %s", line->args + name->at));
        }
    }
}
