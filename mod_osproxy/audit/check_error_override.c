/*
 * check_error_override.c: rule error-override: clients start from the platform's 403 answers (with
 * their Set-Cookie), and sign in from its 401; a page of the proxy in their place breaks both.
 */
#include "check.h"

/* True when the list of statuses, or its absence, takes in 401 or 403. */
static bool takes_sign_in(const osp_line *line)
{
    return line->count < 2 || osp_line_find(line, 1, "401") > 0
           || osp_line_find(line, 1, "403") > 0;
}

void osp_check_error_override(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    OSP_EACH_LINE(audit->facts, server, OSP_W_ERROR_OVERRIDE, line) {
        enum osp_reach reach = osp_line_reach(audit, server, line);

        if (!osp_text_is(osp_line_arg(line, 0), "On") || reach == OSP_REACHES_NOTHING
            || !takes_sign_in(line)) {
            continue;
        }
        if (!line->section && osp_setting(audit->facts, server, OSP_W_ERROR_OVERRIDE) != line) {
            continue;
        }
        osp_fix_replace(audit,
                        osp_find(audit, server,
                                 reach == OSP_REACHES_TRADITIONAL ? OSP_WARNING : OSP_ERROR,
                                 OSP_RULE_ERROR_OVERRIDE, line,
                                 "ProxyErrorOverride On replaces the 401 and 403 answers that "
                                 "clients sign in and start with"),
                        line, "ProxyErrorOverride Off");
    }
}
