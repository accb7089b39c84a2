/*
 * route.c: the moment between the choice of a back end and the request to it.
 *
 * mod_proxy's pre_request hook is the one place that every way of proxying passes, whatever the
 * scheme: ProxyPass, ProxyPassMatch, balancer://, RewriteRule [P], SetHandler, http, h2, ws. The
 * hook below lets mod_proxy and its balancers choose first, by running the whole of pre_request
 * once more from inside, so that the choice is made by the URL that the access rules saw; then it
 * runs the steps of the rules over the URL that will be sent.
 */
#include "osproxy.h"
#include "proxy_api.h"

typedef int (*route_step)(request_rec *r, osp_request *rec, osp_route *way);

/* In this order: who is signed in stays with their server, so its URL is the one to judge; what
 * refuses comes before what changes; a connection is made last, for requests that go. */
static const route_step steps[] = {
    osp_pinned_auth_member,
    osp_preserve_host_route,
    osp_default_ports_route,
    osp_domain_https_route,
    osp_path_unchanged_route,
    osp_forwarded_proto_route,
    osp_answer_route,
    osp_pinned_auth_route,
    osp_probe_route,
};

static int run_steps(request_rec *r, osp_request *rec, osp_route *way)
{
    size_t i;

    for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int status = steps[i](r, rec, way);

        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* Runs once per attempt: after a failover it is called again, with another back end and the
 * original URL. The steps are written so that a second run changes nothing twice. */
static int route(proxy_worker **worker, proxy_balancer **balancer, request_rec *r,
                 proxy_server_conf *conf, char **url)
{
    osp_request *rec;
    osp_route way;
    int status;

    if (r->proxyreq != PROXYREQ_REVERSE || osp_dir_conf_get(r)->engine <= OSP_ENGINE_OFF) {
        return DECLINED;
    }
    rec = osp_request_get(r);
    if (rec->routing) {
        return DECLINED; /* the run from inside */
    }
    rec->routing = 1;
    status = ap_proxy_pre_request(worker, balancer, r, conf, url);
    rec->routing = 0;
    if (status != OK) {
        return status;
    }
    way = (osp_route){.worker = *worker, .balancer = *balancer, .url = *url};
    status = run_steps(r, rec, &way);
    *worker = way.worker;
    *url = way.url;
    if (status != OK) {
        /* The balancer counted this request as under way; mod_proxy sees to that after a 503 only. */
        if (status != HTTP_SERVICE_UNAVAILABLE) {
            ap_proxy_post_request(*worker, *balancer, r, conf);
        }
        return status;
    }
    rec->proxied = 1;
    rec->prepared = 1;
    return OK;
}

void osp_route_hooks(apr_pool_t *p)
{
    /* mod_proxy_balancer chooses at APR_HOOK_FIRST: ours must come before, or it never runs. */
    static const char *const after[] = {"mod_proxy_balancer.c", NULL};

    (void)p;
    proxy_hook_pre_request(route, NULL, after, APR_HOOK_REALLY_FIRST);
}
