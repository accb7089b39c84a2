/*
 * default_ports.c: rule default-ports at run time: "Only the default ports for protocols HTTP and
 * HTTPS are supported". A proxy cannot move a client to another port; it can say that one came by
 * another, where OutSystems would build links that lead nowhere.
 */
#include "osproxy.h"

int osp_default_ports_route(request_rec *r, osp_request *rec, osp_route *way)
{
    apr_port_t port;

    (void)way;
    if (!r->parsed_uri.port_str || rec->prepared || osp_request_mode(r, OSP_RULE_DEFAULT_PORTS) == OSP_OFF) {
        return OK;
    }
    port = r->parsed_uri.port;
    if (port != 80 && port != 443) {
        osp_request_count(r, OSP_RULE_DEFAULT_PORTS, OSP_REPORTED);
        OSP_REPORT(r, OSP_RULE_DEFAULT_PORTS, 0,
                   "OSP0701: [default-ports] Host names port %d; OutSystems is served on 80 and "
                   "443 only", (int)port);
    }
    return OK;
}
