/*
 * check_httponly_cookies.c: rule httponly-cookies: nr2<UserProvider> is read by script; HttpOnly on
 * it breaks the sign-in.
 */
#include "check.h"

#include <string.h>

#define COOKIE "nr2Users=eyJ1; path=/; secure"

/* The pattern, kept away from the nr2 cookies. */
static const char *without_nr2(const osp_audit *audit, const char *pattern)
{
    return *pattern == '^' ? osp_text_format(audit->memory, "^(?!nr2)%s", pattern + 1)
                           : osp_text_format(audit->memory, "^(?!nr2)(.*)$");
}

void osp_check_httponly_cookies(osp_audit *audit, osp_server *server)
{
    const osp_facts *facts = audit->facts;
    const osp_line *line;

    OSP_EACH_LINE(facts, server, OSP_W_HEADER, line) {
        osp_header_line header = osp_header_read(line);
        const char *action = osp_line_arg(line, header.action);
        const char *pattern = osp_line_arg(line, header.name + 1);
        const char *value = osp_line_arg(line, header.name + 2);

        if (!osp_header_is(line, &header, "Set-Cookie")
            || osp_line_reach(audit, server, line) == OSP_REACHES_NOTHING) {
            continue;
        }
        if (osp_text_is(action, "unset") || osp_text_is(action, "set")) {
            osp_fix_delete(
                audit,
                osp_find(audit, server, OSP_ERROR, OSP_RULE_HTTPONLY_COOKIES, line,
                         "Header %s Set-Cookie takes the platform's cookies away: nobody "
                         "can sign in",
                         action),
                line);
        }
        else if (osp_text_begins(action, "edit") && osp_text_holds(value, "HttpOnly")
                 && facts->matches(facts->baton, pattern, COOKIE) != 0) {
            osp_fix_replace(
                audit,
                osp_find(audit, server, OSP_ERROR, OSP_RULE_HTTPONLY_COOKIES, line,
                         "HttpOnly on every cookie hides nr2 cookies from scripts that "
                         "must read them: nobody can sign in"),
                line,
                osp_line_with(audit->memory, line, header.name + 1, without_nr2(audit, pattern)));
        }
    }
}
