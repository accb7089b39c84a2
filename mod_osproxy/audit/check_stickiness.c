/*
 * check_stickiness.c: rule stickiness: session state is in the database, so that any server can
 * answer; a sticky cookie only undoes the balancing.
 */
#include "check.h"

#include <string.h>

static void check_param(osp_audit *audit, osp_server *server, const osp_line *line, int from)
{
    int at = 0;
    const char *value = osp_line_param(line, from, "stickysession", &at);
    osp_finding *finding;

    if (!value) {
        return;
    }
    finding =
        osp_find(audit, server, OSP_WARNING, OSP_RULE_STICKINESS, line,
                 "stickysession=%s ties clients to one server: OutSystems keeps sessions in its "
                 "database and is balanced round-robin",
                 value);
    if (line->count <= 1) {
        osp_fix_delete(audit, finding, line);
    }
    else {
        osp_fix_replace(audit, finding, line, osp_line_with(audit->memory, line, at, NULL));
    }
}

void osp_check_stickiness(osp_audit *audit, osp_server *server)
{
    const osp_line *line;
    int i, j;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];

        if (mapping->kind == OSP_MAP_PREFIX || mapping->kind == OSP_MAP_REGEX) {
            check_param(audit, server, mapping->line, mapping->url_arg + 1);
        }
        for (j = 0; mapping->pool && j < mapping->pool->set_count; j++) {
            check_param(audit, server, mapping->pool->sets[j], 0);
        }
    }
    OSP_EACH_LINE(audit->facts, server, OSP_W_HEADER, line) {
        osp_header_line header = osp_header_read(line);

        if (osp_header_is(line, &header, "Set-Cookie")
            && strstr(osp_line_arg(line, header.name + 1), "BALANCER_WORKER_ROUTE")
            && osp_line_reach(audit, server, line) != OSP_REACHES_NOTHING) {
            osp_fix_delete(audit,
                           osp_find(audit, server, OSP_WARNING, OSP_RULE_STICKINESS, line,
                                    "a cookie that names the server ties clients to it: OutSystems "
                                    "keeps sessions in its database and is balanced round-robin"),
                           line);
        }
    }
}
