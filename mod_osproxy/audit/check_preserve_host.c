/*
 * check_preserve_host.c: rule preserve-host: a mapping whose back end does not get the client's
 * Host. The module overrides ProxyPreserveHost; what RequestHeader writes it cannot know from what
 * the client sent.
 */
#include "check.h"

static void check_setting(osp_audit *audit, osp_server *server, const osp_mapping *mapping)
{
    const osp_line *line =
        osp_setting_in(audit->facts, server, mapping->line->section, OSP_W_PRESERVE_HOST);
    enum osp_severity severity =
        osp_severity_for(audit, server, mapping->line->section, OSP_RULE_PRESERVE_HOST);
    osp_finding *finding;

    if (line && osp_text_is(osp_line_arg(line, 0), "On")) {
        return;
    }
    if (line) {
        finding =
            osp_find(audit, server, severity, OSP_RULE_PRESERVE_HOST, line,
                     severity == OSP_NOTE
                         ? "ProxyPreserveHost Off is overridden: OutSystems builds its links from "
                           "the Host that the client sent"
                         : "ProxyPreserveHost Off: OutSystems builds its links from the name of "
                           "the back end, where clients cannot go");
        osp_fix_replace(audit, finding, line, "ProxyPreserveHost On");
    }
    else if (severity != OSP_NOTE) {
        finding = osp_find(audit, server, severity, OSP_RULE_PRESERVE_HOST, NULL,
                           "ProxyPreserveHost is not written, so the back end gets its own name as "
                           "Host and OutSystems builds links that lead nowhere");
        osp_fix_inside(audit, finding, server, "ProxyPreserveHost On");
    }
    else {
        osp_enforced(audit, server, OSP_RULE_PRESERVE_HOST, mapping->line);
    }
}

void osp_check_preserve_host(osp_audit *audit, osp_server *server)
{
    const osp_line *line;
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        if (server->mappings[i].kind != OSP_MAP_EXCLUDE) {
            check_setting(audit, server, &server->mappings[i]);
        }
    }
    OSP_EACH_LINE(audit->facts, server, OSP_W_REQUEST_HEADER, line) {
        osp_header_line header = osp_header_read(line);

        if (osp_header_is(line, &header, "Host") && osp_server_proxies(server)) {
            osp_finding *finding =
                osp_find(audit, server, OSP_WARNING, OSP_RULE_PRESERVE_HOST, line,
                         "RequestHeader %s Host: the back end gets another "
                         "Host than the client sent",
                         osp_line_arg(line, header.action));

            osp_fix_delete(audit, finding, line);
        }
    }
}
