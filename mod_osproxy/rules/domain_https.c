/*
 * domain_https.c: rule domain-https at run time: "Applications available externally using the
 * domain name configured in Service Center and via HTTPS".
 *
 * A plain-http request for a module declared Reactive or Mobile is sent to https on its domain when
 * a virtual host serves that: GET and HEAD by 308, which keeps method and path; any other method is
 * refused, for its body has crossed the network in clear already and must not go unnoticed. Of a
 * module of unknown kind the request is only counted. The scheme is the client's: a trusted hop
 * that terminated TLS is believed (osp_request_is_https), and where it says nothing the request
 * passes, so that nothing loops.
 */
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"

#include "osproxy.h"

#define HTTPS_PORT 443

/* Names of virtual hosts that serve TLS on 443. */
static apr_hash_t *tls_names;
static apr_array_header_t *tls_patterns;

static int is_tls(server_rec *s, server_rec *main_server)
{
    const char *written = osp_settings_written(s, main_server, "SSLEngine");
    const char *protocol = ap_get_server_protocol(s);

    if (!written) {
        written = osp_settings_written(main_server, main_server, "SSLEngine");
    }
    return written ? strcasecmp(written, "on") == 0
                   : protocol && strcmp(protocol, "https") == 0;
}

static int on_https_port(const server_rec *s)
{
    const server_addr_rec *a;

    for (a = s->addrs; a; a = a->next) {
        if (a->host_port == HTTPS_PORT || a->host_port == 0) {
            return 1;
        }
    }
    return s->port == HTTPS_PORT;
}

static void add_name(apr_pool_t *p, const char *name)
{
    char *lower = apr_pstrdup(p, name);

    ap_str_tolower(lower);
    apr_hash_set(tls_names, lower, APR_HASH_KEY_STRING, lower);
}

static void add_names(apr_pool_t *p, const server_rec *s)
{
    int i;

    add_name(p, s->server_hostname);
    for (i = 0; s->names && i < s->names->nelts; i++) {
        if (APR_ARRAY_IDX(s->names, i, const char *)) {
            add_name(p, APR_ARRAY_IDX(s->names, i, const char *));
        }
    }
    for (i = 0; s->wild_names && i < s->wild_names->nelts; i++) {
        if (APR_ARRAY_IDX(s->wild_names, i, const char *)) {
            APR_ARRAY_PUSH(tls_patterns, const char *) =
                APR_ARRAY_IDX(s->wild_names, i, const char *);
        }
    }
}

static int serves_tls(const char *host)
{
    int i;

    if (apr_hash_get(tls_names, host, APR_HASH_KEY_STRING)) {
        return 1;
    }
    for (i = 0; i < tls_patterns->nelts; i++) {
        if (ap_strcasecmp_match(host, APR_ARRAY_IDX(tls_patterns, i, const char *)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Where plain http goes when the request's own host has no https: the first domain that has. */
static const char *https_domain(const server_rec *s)
{
    const apr_array_header_t *domains = osp_server_conf_get(s)->domains;
    int i;

    for (i = 0; domains && i < domains->nelts; i++) {
        if (serves_tls(APR_ARRAY_IDX(domains, i, const char *))) {
            return APR_ARRAY_IDX(domains, i, const char *);
        }
    }
    return !domains && serves_tls(s->server_hostname) ? s->server_hostname : NULL;
}

static int prepare(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    server_rec *s;

    (void)plog;
    (void)ptemp;
    tls_names = apr_hash_make(pconf);
    tls_patterns = apr_array_make(pconf, 4, sizeof(const char *));
    if (!osp_engine_used()) {
        return OK;
    }
    for (s = main_server; s; s = s->next) {
        if (is_tls(s, main_server) && on_https_port(s)) {
            add_names(pconf, s);
        }
    }
    for (s = main_server; s; s = s->next) {
        osp_server_conf_get(s)->https_host = https_domain(s);
    }
    return OK;
}

static int redirect(request_rec *r, const char *host)
{
    osp_span target = osp_request_target(r);

    if (r->method_number != M_GET) { /* HEAD is M_GET too */
        return osp_refuse(r, OSP_RULE_DOMAIN_HTTPS, HTTP_FORBIDDEN,
                          "This application is served over https only.");
    }
    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, "https://", host, target.p, NULL));
    osp_request_count(r, OSP_RULE_DOMAIN_HTTPS, OSP_ACTED);
    return HTTP_PERMANENT_REDIRECT;
}

static int header_parser(request_rec *r)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_DOMAIN_HTTPS);
    const char *host;

    /* The scheme first: it is needed later anyway, the kind of an https request mostly is not. */
    if (mode == OSP_OFF || r->prev || osp_request_is_https(r)
        || !osp_kind_is_strict(osp_request_kind(r))) {
        return DECLINED;
    }
    if (osp_request_scheme_is_untold(r)) {
        osp_request_count(r, OSP_RULE_DOMAIN_HTTPS, OSP_REPORTED);
        OSP_REPORT(r, OSP_RULE_DOMAIN_HTTPS, 2,
                   "OSP0803: [domain-https] plain http for a Reactive or Mobile module, from the "
                   "hop %s, which cannot be believed to say in X-Forwarded-Proto whether its client "
                   "used https; passed, for a redirect could loop", r->connection->client_ip);
        return DECLINED;
    }
    host = r->hostname && osp_request_host_is_own(r) && serves_tls(r->hostname)
           ? r->hostname : osp_server_conf_get(r->server)->https_host;
    if (host && mode == OSP_ENFORCE) {
        return redirect(r, host);
    }
    osp_request_count(r, OSP_RULE_DOMAIN_HTTPS, OSP_REPORTED);
    if (host) {
        OSP_REPORT(r, OSP_RULE_DOMAIN_HTTPS, 0,
                   "OSP0801: [domain-https] plain http for a Reactive or Mobile module: would "
                   "be sent to https://%s", host);
    }
    else {
        OSP_REPORT(r, OSP_RULE_DOMAIN_HTTPS, 1,
                   "OSP0802: [domain-https] plain http for a Reactive or Mobile module, and no "
                   "virtual host serves https on port 443 under '%s'",
                   r->hostname ? r->hostname : r->server->server_hostname);
    }
    return DECLINED;
}

int osp_domain_https_route(request_rec *r, osp_request *rec, osp_route *way)
{
    (void)way;
    if (!rec->prepared && osp_request_mode(r, OSP_RULE_DOMAIN_HTTPS) != OSP_OFF
        && !osp_request_is_https(r) && osp_request_kind(r) == OSP_KIND_UNKNOWN) {
        osp_request_count(r, OSP_RULE_DOMAIN_HTTPS, OSP_REPORTED);
    }
    return OK;
}

void osp_domain_https_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_post_config(prepare, NULL, NULL, APR_HOOK_MIDDLE);
    /* Sections are known, and nobody has been asked for a password yet. */
    ap_hook_header_parser(header_parser, NULL, NULL, APR_HOOK_FIRST);
}
