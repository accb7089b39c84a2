/*
 * check_backend_ttl.c: rule backend-ttl: IIS closes idle connections after 120 s; a proxy that
 * keeps them longer sends requests into closing ones.
 */
#include "check.h"

#include <string.h>

#define IIS_SECONDS 120

static void check_worker(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const osp_line *line = NULL;
    int at = 0;
    const char *reuse = osp_worker_param(mapping, member, "disablereuse", NULL, NULL);
    const char *value = osp_worker_param(mapping, member, "ttl", &line, &at);
    const char *rest;
    osp_finding *finding;

    if (osp_text_is(reuse, "on") || mapping->kind == OSP_MAP_REWRITE
        || mapping->kind == OSP_MAP_REGEX || mapping->kind == OSP_MAP_HANDLER) {
        if (!member && !value) {
            return; /* unless a <Proxy> section names it, there is no pool */
        }
    }
    if (value) {
        if (osp_text_number(value, 1000000, &rest) < IIS_SECONDS) {
            return;
        }
        finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_BACKEND_TTL, line,
                           "ttl=%s: IIS closes idle connections after %d s, so requests are sent "
                           "into closed ones",
                           value, IIS_SECONDS);
        osp_fix_replace(audit, finding, line, osp_line_with(audit->memory, line, at, "ttl=60"));
        return;
    }
    if (osp_text_is(reuse, "on")) {
        return;
    }
    line = osp_worker_line(mapping, member);
    finding = osp_find(audit, server, OSP_NOTE, OSP_RULE_BACKEND_TTL, line,
                       "%s without ttl= keeps idle connections that IIS closes after %d s",
                       line->name, IIS_SECONDS);
    osp_fix_replace(audit, finding, line, osp_line_plus(audit->memory, line, "ttl=60"));
}

void osp_check_backend_ttl(osp_audit *audit, osp_server *server)
{
    osp_each_worker(audit, server, check_worker);
}
