/*
 * check_keep_alive.c: rule keep-alive: what rules/keep_alive.c raises, or would raise, and why.
 */
#include "check.h"

#define LEAST_REQUESTS 4 /* see rules/keep_alive.c */

static const char *seconds(const osp_audit *audit, long ms)
{
    return ms % 1000 ? osp_text_format(audit->memory, "%ld ms", ms)
                     : osp_text_format(audit->memory, "%ld s", ms / 1000);
}

static const char *verb(enum osp_severity severity)
{
    return severity == OSP_NOTE ? "is" : "would be";
}

/* `of` is the server itself, or the first virtual host of its address: that one decides how long
 * connections are kept on which nothing was asked yet. */
static const char *why(const osp_audit *audit, const osp_server *server, const osp_server *of)
{
    return of == server ? ""
                        : osp_text_format(audit->memory,
                                          ": it is the first virtual host of the address of %s and "
                                          "decides on its idle connections",
                                          server->name);
}

static void check_timeout(osp_audit *audit, osp_server *server, const osp_server *of,
                          enum osp_severity severity)
{
    const osp_line *line = osp_setting(audit->facts, of, OSP_W_KEEP_ALIVE_TIMEOUT);
    const char *text =
        osp_text_format(audit->memory, "KeepAliveTimeout %d", server->keep_alive_floor);
    osp_finding *finding;

    if (of->keep_alive_ms >= 1000L * server->keep_alive_floor) {
        return;
    }
    if (line) {
        finding = osp_find(audit, server, severity, OSP_RULE_KEEP_ALIVE, line,
                           "KeepAliveTimeout %s %s raised to %d%s", osp_line_arg(line, 0),
                           verb(severity), server->keep_alive_floor, why(audit, server, of));
    }
    else {
        finding = osp_find(audit, server, severity, OSP_RULE_KEEP_ALIVE, of->opening,
                           "KeepAliveTimeout is not written: httpd's %s %s raised to %d s%s",
                           seconds(audit, of->keep_alive_ms), verb(severity),
                           server->keep_alive_floor, why(audit, server, of));
    }
    osp_fix_setting(audit, finding, of, line, text);
}

static void check_rest(osp_audit *audit, osp_server *server, const osp_server *of,
                       enum osp_severity severity)
{
    const osp_line *line;
    osp_finding *finding;

    if (!of->keep_alive) {
        line = osp_setting(audit->facts, of, OSP_W_KEEP_ALIVE);
        finding = osp_find(audit, server, severity, OSP_RULE_KEEP_ALIVE, line ? line : of->opening,
                           "KeepAlive Off %s switched on: Reactive and Mobile apps need idle "
                           "connections kept, and Windows authentication one for three requests%s",
                           verb(severity), why(audit, server, of));
        osp_fix_setting(audit, finding, of, line, "KeepAlive On");
    }
    if (of->keep_alive_max > 0 && of->keep_alive_max < LEAST_REQUESTS) {
        line = osp_setting(audit->facts, of, OSP_W_MAX_KEEP_ALIVE_REQUESTS);
        finding =
            osp_find(audit, server, severity, OSP_RULE_KEEP_ALIVE, line ? line : of->opening,
                     "MaxKeepAliveRequests %d %s raised to 100: it cuts the three requests of "
                     "a sign-in%s",
                     of->keep_alive_max, verb(severity), why(audit, server, of));
        osp_fix_setting(audit, finding, of, line, "MaxKeepAliveRequests 100");
    }
}

void osp_check_keep_alive(osp_audit *audit, osp_server *server)
{
    enum osp_severity severity = osp_severity_for(audit, server, NULL, OSP_RULE_KEEP_ALIVE);
    int i;

    check_timeout(audit, server, server, severity);
    check_rest(audit, server, server, severity);
    for (i = 0; i < server->address_count; i++) {
        const osp_server *first = server->addresses[i].first;

        if (first != server && !first->audited) {
            check_timeout(audit, server, first, severity);
            check_rest(audit, server, first, severity);
        }
    }
}
