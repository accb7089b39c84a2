/*
 * check_forwarded_proto.c: rule forwarded-proto: whether the back end learns the client's scheme,
 * and an address that it can read.
 */
#include "check.h"

#include <string.h>

static bool forwards_plainly(const osp_server *server)
{
    int i;

    for (i = 0; i < server->mapping_count; i++) {
        const osp_mapping *mapping = &server->mappings[i];
        const char *scheme = mapping->target.scheme;

        if (strcmp(scheme, "balancer") == 0 && mapping->pool && mapping->pool->members) {
            scheme = mapping->pool->members->target.scheme;
        }
        if (strcmp(scheme, "http") == 0 || strcmp(scheme, "h2c") == 0
            || strcmp(scheme, "ws") == 0) {
            return true;
        }
    }
    return false;
}

static void check_written(osp_audit *audit, osp_server *server, const osp_line *line,
                          const osp_header_line *header, bool *is_set)
{
    const char *action = osp_line_arg(line, header->action);
    const char *value = osp_line_arg(line, header->name + 1);
    const char *right = server->is_tls ? "https" : "http";
    enum osp_severity severity =
        osp_severity_for(audit, server, line->section, OSP_RULE_FORWARDED_PROTO);
    osp_finding *finding;

    if (osp_text_is(action, "unset") || !osp_text_begins(action, "set")) {
        return;
    }
    *is_set = true;
    if (server->is_behind_hop || osp_text_is(value, right) || strchr(value, '%')
        || header->name + 2 < line->count) {
        return;
    }
    finding = osp_find(audit, server, severity, OSP_RULE_FORWARDED_PROTO, line,
                       "X-Forwarded-Proto \"%s\" %s where clients use %s", value,
                       severity == OSP_NOTE ? "is overridden" : "misleads OutSystems", right);
    osp_fix_replace(audit, finding, line,
                    osp_line_with(audit->memory, line, header->name + 1, right));
}

static void check_address(osp_audit *audit, osp_server *server, const osp_line *line,
                          const osp_header_line *header)
{
    const char *value = osp_line_arg(line, header->name + 1);
    enum osp_severity severity =
        osp_severity_for(audit, server, line->section, OSP_RULE_FORWARDED_PROTO);
    osp_finding *finding;

    if (osp_text_is(osp_line_arg(line, header->action), "unset")
        || !osp_text_holds(value, "REMOTE_PORT")) {
        return;
    }
    finding = osp_find(audit, server, severity, OSP_RULE_FORWARDED_PROTO, line,
                       "X-Forwarded-For with a port breaks sign-ins%s",
                       severity == OSP_NOTE ? "; it is dropped, mod_proxy writes the address alone"
                                            : " and makes OutSystems misread the client's address");
    osp_fix_delete(audit, finding, line);
}

void osp_check_forwarded_proto(osp_audit *audit, osp_server *server)
{
    const osp_line *line;
    bool is_set = false;

    if (!osp_server_proxies(server)) {
        return;
    }
    OSP_EACH_LINE(audit->facts, server, OSP_W_REQUEST_HEADER, line) {
        osp_header_line header = osp_header_read(line);

        if (osp_header_is(line, &header, "X-Forwarded-Proto")) {
            check_written(audit, server, line, &header, &is_set);
        }
        else if (osp_header_is(line, &header, "X-Forwarded-For")) {
            check_address(audit, server, line, &header);
        }
    }
    if (is_set || !server->is_tls || !forwards_plainly(server)) {
        return;
    }
    if (osp_severity_for(audit, server, NULL, OSP_RULE_FORWARDED_PROTO) == OSP_NOTE) {
        osp_enforced(audit, server, OSP_RULE_FORWARDED_PROTO, NULL);
        return;
    }
    osp_fix_inside(audit,
                   osp_find(audit, server, OSP_WARNING, OSP_RULE_FORWARDED_PROTO, NULL,
                            "https in front of http:// without X-Forwarded-Proto: OutSystems takes "
                            "the request for plain http and redirects or builds http links"),
                   server, "RequestHeader set X-Forwarded-Proto \"https\"");
}
