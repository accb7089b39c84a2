/*
 * check_pinned_auth.c: rule pinned-auth: what keeps Windows authentication from working on a
 * connection of its own.
 */
#include "check.h"

#include <string.h>

static const enum osp_word environment[] = {
    OSP_W_SET_ENV,         OSP_W_SET_ENV_IF,    OSP_W_SET_ENV_IF_NO_CASE,
    OSP_W_SET_ENV_IF_EXPR, OSP_W_BROWSER_MATCH, OSP_W_BROWSER_MATCH_NO_CASE,
};

static void check_http_1_0(osp_audit *audit, osp_server *server)
{
    size_t i;

    for (i = 0; i < sizeof environment / sizeof environment[0]; i++) {
        const osp_line *line;

        OSP_EACH_LINE(audit->facts, server, environment[i], line) {
            int at, found = -1;

            for (at = 0; at < line->count; at++) {
                const char *word = line->arg[at].text;

                if (osp_text_begins(word, "force-proxy-request-1.0")
                    && (!word[23] || word[23] == '=')) {
                    found = at;
                }
            }
            if (found >= 0 && osp_line_reach(audit, server, line) != OSP_REACHES_NOTHING) {
                osp_fix_delete(audit,
                               osp_find(audit, server, OSP_WARNING, OSP_RULE_PINNED_AUTH, line,
                                        "force-proxy-request-1.0 closes the back-end connection "
                                        "after each request, so an NTLM sign-in never ends"),
                               line);
            }
        }
    }
}

static void check_http_2(osp_audit *audit, osp_server *server)
{
    const osp_line *line = osp_setting(audit->facts, server, OSP_W_PROTOCOLS);
    enum osp_severity severity = osp_severity_for(audit, server, NULL, OSP_RULE_PINNED_AUTH);
    const char *text;
    int at;

    if (!line || !server->is_windows) {
        return;
    }
    at = osp_line_find(line, 0, server->is_tls ? "h2" : "h2c");
    if (at < 0) {
        return;
    }
    text = osp_text_format(
        audit->memory, "HTTP/2 with Windows authentication: %s",
        severity == OSP_NOTE
            ? "who signs in is sent back to HTTP/1.1 first, which some clients do not "
              "follow"
            : "one connection carries several users' requests, and IIS refuses to "
              "sign them in");
    osp_fix_setting(audit,
                    osp_find(audit, server, severity, OSP_RULE_PINNED_AUTH, line, "%s", text),
                    server, line, "Protocols http/1.1");
}

void osp_check_pinned_auth(osp_audit *audit, osp_server *server)
{
    if (!osp_server_proxies(server)) {
        return;
    }
    osp_enforced(audit, server, OSP_RULE_PINNED_AUTH, NULL);
    check_http_1_0(audit, server);
    check_http_2(audit, server);
}
