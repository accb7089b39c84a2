/*
 * check_via.c: rule via: with a Via request header IIS signs every request in anew.
 */
#include "check.h"

void osp_check_via(osp_audit *audit, osp_server *server)
{
    const osp_line *line = osp_setting(audit->facts, server, OSP_W_VIA);
    const char *value = line ? osp_line_arg(line, 0) : "Off";

    if (!osp_server_proxies(server) || (!osp_text_is(value, "On") && !osp_text_is(value, "Full"))) {
        return;
    }
    osp_fix_replace(audit,
                    osp_find(audit, server, server->is_windows ? OSP_WARNING : OSP_NOTE,
                             OSP_RULE_VIA, line,
                             "ProxyVia %s sends a Via header: %sIIS then signs every request in "
                             "anew",
                             value, server->is_windows ? "" : "with Windows authentication, "),
                    line, "ProxyVia Off");
}
