/*
 * least.c: the least that any module can add to a proxied request and still do three of the nine
 * rules on it: one header field more to the back end (forwarded-proto), one filter that sees a
 * back end's answer begin (negotiate), the client's Host (preserve-host: ProxyPreserveHost On, beside
 * it). It decides nothing: the field's value is a constant. What bench.py counts of it is the floor
 * under the bar.
 */
#include "httpd.h"
#include "http_config.h"
#include "util_filter.h"
#include "apr_optional_hooks.h"
#include "mod_proxy.h"

static ap_filter_rec_t *see;

static int add_field(request_rec *r)
{
    apr_table_addn(r->headers_in, "X-Forwarded-Proto", "http");
    return OK;
}

static apr_status_t begin(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    ap_filter_t *next = f->next;

    ap_remove_output_filter(f);
    return ap_pass_brigade(next, brigade);
}

static int add_filter(proxy_worker **worker, proxy_balancer **balancer, request_rec *r,
                      proxy_server_conf *conf, char **url)
{
    (void)worker;
    (void)balancer;
    (void)conf;
    (void)url;
    ap_add_output_filter_handle(see, NULL, r, r->connection);
    return DECLINED;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    APR_OPTIONAL_HOOK(proxy, fixups, add_field, NULL, NULL, APR_HOOK_MIDDLE);
    see = ap_register_output_filter("LEAST", begin, NULL, AP_FTYPE_CONTENT_SET);
    proxy_hook_pre_request(add_filter, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(least) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks
};
