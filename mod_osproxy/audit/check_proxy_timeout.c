/*
 * check_proxy_timeout.c: rule proxy-timeout: IIS lets a request run 110 s (executionTimeout); a
 * proxy that waits less answers 504 while the server still works.
 */
#include "check.h"

#define IIS_SECONDS 110
#define HTTPD_DEFAULT 60000L /* Timeout, when it is not written */

static void check_worker(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const osp_line *line = NULL;
    int at = 0;
    const char *value = osp_worker_param(mapping, member, "timeout", &line, &at);
    osp_finding *finding;
    long ms;

    if (value) {
        ms = osp_text_milliseconds(value, "s");
        if (ms < 0 || ms >= 1000L * IIS_SECONDS) {
            return;
        }
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_PROXY_TIMEOUT, line,
                           "timeout=%s ends requests that IIS lets run for %d s: clients get 504",
                           value, IIS_SECONDS);
        osp_fix_replace(audit, finding, line,
                        osp_line_with(audit->memory, line, at, "timeout=120"));
        return;
    }
    line = osp_setting(audit->facts, server, OSP_W_PROXY_TIMEOUT);
    if (!line) {
        line = osp_setting(audit->facts, server, OSP_W_TIMEOUT);
    }
    ms = line ? osp_text_milliseconds(osp_line_arg(line, 0), "s") : HTTPD_DEFAULT;
    if (ms < 0 || ms >= 1000L * IIS_SECONDS) {
        return;
    }
    if (line && line->word == OSP_W_PROXY_TIMEOUT) {
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_PROXY_TIMEOUT, line,
                           "ProxyTimeout %s ends requests that IIS lets run for %d s: clients get "
                           "504",
                           osp_line_arg(line, 0), IIS_SECONDS);
        osp_fix_replace(audit, finding, line, "ProxyTimeout 120");
        return;
    }
    finding =
        osp_find(audit, server, OSP_WARNING, OSP_RULE_PROXY_TIMEOUT, NULL,
                 "ProxyTimeout is not written: Timeout's %ld s end requests that IIS lets run "
                 "for %d s",
                 ms / 1000, IIS_SECONDS);
    osp_fix_inside(audit, finding, server, "ProxyTimeout 120");
}

void osp_check_proxy_timeout(osp_audit *audit, osp_server *server)
{
    osp_each_worker(audit, server, check_worker);
}
