/*
 * check_default_ports.c: rule default-ports: "OutSystems only serves applications in HTTP port 80
 * and HTTPS port 443". Behind a hop that mod_remoteip trusts, the ports of clients are the hop's.
 */
#include "check.h"

#include <string.h>

static bool is_default(int port)
{
    return port == 0 || port == 80 || port == 443;
}

static long port_at_end(const char *text)
{
    const char *colon = strrchr(text, ':'), *rest;
    long port = osp_text_number(colon ? colon + 1 : text, 65535, &rest);

    return *rest ? 0 : port;
}

static const osp_line *listener(const osp_facts *facts, long port)
{
    const osp_line *line;

    for (line = facts->main->first[OSP_W_LISTEN]; line; line = line->next) {
        if (port_at_end(osp_line_arg(line, 0)) == port) {
            return line;
        }
    }
    return NULL;
}

static bool others_use(const osp_facts *facts, const osp_server *server, int port)
{
    const osp_server *other;
    int i;

    for (other = facts->main->next; other; other = other->next) {
        for (i = 0; i < other->address_count; i++) {
            if (other != server && other->addresses[i].port == port) {
                return true;
            }
        }
    }
    return false;
}

static void check_address(osp_audit *audit, osp_server *server, int at)
{
    const osp_address *address = &server->addresses[at];
    int wanted = server->is_tls ? 443 : 80;
    const osp_line *listen = listener(audit->facts, address->port);
    const char *text;
    osp_finding *finding;

    if (is_default(address->port)) {
        return;
    }
    finding =
        osp_find(audit, server, OSP_ERROR, OSP_RULE_DEFAULT_PORTS, server->opening,
                 "VirtualHost %s: OutSystems is served on 80 and 443 only, and its links name "
                 "no port",
                 osp_line_arg(server->opening, at));
    if (!finding) {
        return;
    }
    text = osp_text_format(audit->memory, "%s:%d", address->host, wanted);
    osp_fix_replace(audit, finding, server->opening,
                    osp_line_with(audit->memory, server->opening, at, text));
    if (listen && !listener(audit->facts, wanted)) {
        const char *host = osp_line_arg(listen, 0), *colon = strrchr(host, ':');

        text = osp_text_format(audit->memory, "Listen %.*s%d", colon ? (int)(colon + 1 - host) : 0,
                               host, wanted);
        if (others_use(audit->facts, server, address->port)) {
            osp_fix_after(audit, finding, listen, text);
        }
        else {
            osp_fix_replace(audit, finding, listen, text);
        }
    }
}

static void check_name(osp_audit *audit, osp_server *server)
{
    const osp_line *line = osp_setting(audit->facts, server, OSP_W_SERVER_NAME);
    const char *name = line ? osp_line_arg(line, 0) : "";
    const char *colon = strrchr(name, ':');
    osp_finding *finding;
    long port;

    if (!colon || strchr(colon, ']') || colon[1] == '/'
        || is_default((int)(port = port_at_end(name))) || port < 0) {
        return;
    }
    finding = osp_find(audit, server, OSP_WARNING, OSP_RULE_DEFAULT_PORTS, line,
                       "ServerName names port %ld, which httpd puts into its redirects: OutSystems "
                       "is served on 80 and 443 only",
                       port);
    osp_fix_replace(audit, finding, line,
                    osp_line_with(audit->memory, line, 0,
                                  osp_text_copy(audit->memory, name, (size_t)(colon - name))));
}

static void check_worker(osp_audit *audit, osp_server *server, const osp_mapping *mapping,
                         const osp_member *member)
{
    const osp_target *target = osp_worker_target(mapping, member);
    const osp_line *line = osp_worker_line(mapping, member);
    int at = member ? member->url_arg : mapping->url_arg;
    const char *url = osp_line_arg(line, at), *port;
    osp_finding *finding;

    if (is_default(target->port) || strcmp(target->scheme, "balancer") == 0) {
        return;
    }
    finding =
        osp_find(audit, server, OSP_WARNING, OSP_RULE_DEFAULT_PORTS, line,
                 "%s goes to port %d of the back end: OutSystems is served on 80 and 443 only",
                 line->name, target->port);
    port = osp_text_format(audit->memory, ":%d", target->port);
    port = strstr(strstr(url, "://") + 3, port);
    if (port) {
        osp_fix_replace(
            audit, finding, line,
            osp_line_with(audit->memory, line, at,
                          osp_text_format(audit->memory, "%.*s%s", (int)(port - url), url,
                                          port + 1 + strspn(port + 1, "0123456789"))));
    }
}

/* The main server, when clients reach it. */
static void check_listeners(osp_audit *audit, osp_server *server)
{
    const osp_line *line;

    for (line = server->first[OSP_W_LISTEN]; line; line = line->next) {
        long port = port_at_end(osp_line_arg(line, 0));
        osp_finding *finding;

        if (port < 0 || is_default((int)port)) {
            continue;
        }
        finding = osp_find(audit, server, OSP_ERROR, OSP_RULE_DEFAULT_PORTS, line,
                           "Listen %s: OutSystems is served on 80 and 443 only, and its links name "
                           "no port",
                           osp_line_arg(line, 0));
        if (listener(audit->facts, 80)) {
            osp_fix_delete(audit, finding, line);
        }
        else {
            osp_fix_replace(audit, finding, line, "Listen 80");
        }
    }
}

void osp_check_default_ports(osp_audit *audit, osp_server *server)
{
    int i;

    if (!osp_server_proxies(server)) {
        return; /* whatever it serves is not OutSystems */
    }
    if (!server->is_behind_hop) {
        for (i = 0; i < server->address_count; i++) {
            check_address(audit, server, i);
        }
        if (server->is_main && !server->next) {
            check_listeners(audit, server);
        }
        check_name(audit, server);
    }
    osp_each_worker(audit, server, check_worker);
}
