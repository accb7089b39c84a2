/*
 * preserve_host.c: rule preserve-host: "Maintain original host header of the request".
 *
 * mod_proxy reads ProxyPreserveHost from the request's directory configuration when it builds the
 * back-end request (Host, :authority, SNI). The rule replaces that configuration, for this request
 * only, by one in which it is on: later than any section, whatever is written.
 *
 * With the client's Host comes the client's power over the name that an https back end's
 * certificate is checked against: a Host that is no name of the virtual host would fail that check
 * and take a balancer member out, so it is refused with 421 (RFC 9110 section 15.5.20); a request
 * without Host would send no SNI and skip the check, so it gets the host of its absolute target, or
 * the ServerName.
 */
#include "apr_strings.h"

#include "osproxy.h"
#include "proxy_api.h"

static ap_conf_vector_t *host_on; /* holds mod_proxy's directory configuration and nothing else */

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    const char *error;
    server_rec *s;

    (void)plog;
    host_on = NULL;
    if (!osp_engine_used()) {
        return OK;
    }
    host_on = osp_settings_vector(pconf, ptemp, main_server, "ProxyPreserveHost", "On", &error);
    if (!host_on) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "OSP0103: [preserve-host] ProxyPreserveHost On could not be set: %s", error);
        return OK;
    }
    for (s = main_server; s; s = s->next) {
        osp_server_conf_get(s)->defaults_with_host =
            ap_merge_per_dir_configs(pconf, s->lookup_defaults, host_on);
    }
    return OK;
}

static void preserve(request_rec *r)
{
    /* Without sections, the merge was made once for all requests. */
    if (r->per_dir_config == r->server->lookup_defaults) {
        r->per_dir_config = osp_server_conf_get(r->server)->defaults_with_host;
    }
    else {
        r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, host_on);
    }
}

static int is_tls(const char *url)
{
    if (url[4] == ':') {
        return 0; /* http: is most of them */
    }
    return strncasecmp(url, "https:", 6) == 0 || strncasecmp(url, "wss:", 4) == 0
           || strncasecmp(url, "h2:", 3) == 0;
}

static int foreign_host(request_rec *r, enum osp_mode mode)
{
    OSP_REPORT(r, OSP_RULE_PRESERVE_HOST, 0,
               "OSP0101: [preserve-host] Host '%s' is no name of this virtual host, so the "
               "certificate of an https back end cannot match it: %s", r->hostname,
               mode == OSP_ENFORCE ? "refused" : "would be refused");
    if (mode == OSP_ENFORCE) {
        return osp_refuse(r, OSP_RULE_PRESERVE_HOST, HTTP_MISDIRECTED_REQUEST,
                          "The name in this request's Host header is not served here.");
    }
    osp_request_count(r, OSP_RULE_PRESERVE_HOST, OSP_REPORTED);
    return OK;
}

/* HTTP/1.0 knows no Host; a later version without one is refused by httpd. */
static int has_no_host(const request_rec *r)
{
    return !r->hostname || !*r->hostname
           || (r->proto_num < HTTP_VERSION(1, 1) && !apr_table_get(r->headers_in, "Host"));
}

/* The host of an absolute request-target, else the ServerName. */
static void fill_host(request_rec *r)
{
    const char *host = r->hostname, *port = r->parsed_uri.port_str;

    if (!host || !*host) {
        host = r->hostname = r->server->server_hostname;
        port = NULL;
    }
    if (ap_strchr_c(host, ':')) {
        host = apr_pstrcat(r->pool, "[", host, "]", NULL);
    }
    apr_table_setn(r->headers_in, "Host",
                   port ? apr_pstrcat(r->pool, host, ":", port, NULL) : host);
}

int osp_preserve_host_route(request_rec *r, osp_request *rec, osp_route *way)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_PRESERVE_HOST);
    const proxy_dir_conf *proxy;
    int missing;

    (void)rec;
    if (mode == OSP_OFF || !host_on) {
        return OK;
    }
    missing = has_no_host(r);
    if (r->hostname && *r->hostname && is_tls(way->url) && !osp_request_host_is_own(r)) {
        return foreign_host(r, mode);
    }
    proxy = ap_get_module_config(r->per_dir_config, &proxy_module);
    if (proxy->preserve_host && !missing) {
        return OK;
    }
    if (mode == OSP_REPORT) {
        osp_request_count(r, OSP_RULE_PRESERVE_HOST, OSP_REPORTED);
        OSP_REPORT(r, OSP_RULE_PRESERVE_HOST, 1,
                   "OSP0102: [preserve-host] the back end does not receive the client's Host "
                   "(ProxyPreserveHost is off); it would be preserved");
        return OK;
    }
    osp_request_count(r, OSP_RULE_PRESERVE_HOST, OSP_ACTED);
    if (missing) {
        fill_host(r);
    }
    if (!proxy->preserve_host) {
        preserve(r);
    }
    return OK;
}

void osp_preserve_host_hooks(apr_pool_t *p)
{
    (void)p;
    /* Any time after the sections are read; before the first request. */
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_MIDDLE);
}
