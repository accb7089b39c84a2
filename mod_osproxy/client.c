/*
 * client.c: the class of a client, internal or external, and `Require osproxy-internal`.
 *
 * The address is r->useragent_ip: mod_remoteip decides which hop is believed, never a reading of
 * X-Forwarded-For of our own. Without OSProxyInternal everyone is external: the safe reading when
 * httpd sits behind another hop.
 */
#include "ap_provider.h"
#include "httpd.h"
#include "http_request.h"
#include "mod_auth.h"

#include "osproxy.h"

static int is_listed(const apr_array_header_t *list, apr_sockaddr_t *address)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(list, i, apr_ipsubnet_t *), address)) {
            return 1;
        }
    }
    return 0;
}

int osp_client_is_internal(request_rec *r)
{
    const apr_array_header_t *list = osp_server_conf_get(r->server)->internal;
    osp_request *rec;

    if (!list) {
        return 0;
    }
    rec = osp_request_get(r);
    if (!rec->client_known) {
        rec->internal = is_listed(list, r->useragent_addr) ? 1 : 0;
        rec->client_known = 1;
    }
    return rec->internal;
}

static authz_status check_internal(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    (void)parsed;
    return osp_client_is_internal(r) ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const char *parse_internal(cmd_parms *cmd, const char *line, const void **parsed)
{
    (void)cmd;
    (void)parsed;
    return *line ? "Require osproxy-internal takes no value: the list is OSProxyInternal" : NULL;
}

static const authz_provider internal_provider = {check_internal, parse_internal};

void osp_client_hooks(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "osproxy-internal",
                              AUTHZ_PROVIDER_VERSION, &internal_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}
