/*
 * request.c: the per-request record: what several rules ask about a request, worked out once.
 */
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"

#include "compat.h"
#include "osproxy.h"

osp_request *osp_request_make(request_rec *r)
{
    osp_request *rec = apr_pcalloc(r->pool, sizeof *rec);

    ap_set_module_config(r->request_config, &osproxy_module, rec);
    return rec;
}

enum osp_kind osp_kind_of(const server_rec *s, const char *path)
{
    const osp_server_conf *conf = osp_server_conf_get(s);
    osp_module_name name = osp_module_name_of(path);
    const osp_module *declared = osp_module_find(conf, &name);

    return declared && declared->kind != OSP_KIND_UNKNOWN ? declared->kind : osp_watch_kind(conf, &name);
}

osp_conn *osp_conn_get(conn_rec *c)
{
    osp_conn *conn = ap_get_module_config(c->conn_config, &osproxy_module);

    if (!conn) {
        conn = apr_pcalloc(c->pool, sizeof *conn);
        ap_set_module_config(c->conn_config, &osproxy_module, conn);
    }
    return conn;
}

/* Streams of HTTP/2 have threads of their own: they do not write to their client's record. */
static int connection_is_tls(conn_rec *c)
{
    osp_conn *conn;

    if (c->master) {
        return osp_compat_is_tls(c->master);
    }
    conn = osp_conn_get(c);
    if (!conn->tls_known) {
        conn->tls = osp_compat_is_tls(c) ? 1 : 0;
        conn->tls_known = 1;
    }
    return conn->tls;
}

/* Whether this connection began with an address of the PROXY protocol: only then mod_remoteip keeps
 * anything with a connection. */
static int is_proxy_protocol(conn_rec *c)
{
    static module *remoteip;

    if (!remoteip) {
        remoteip = ap_find_linked_module("mod_remoteip.c");
    }
    return remoteip && ap_get_module_config(c->conn_config, remoteip);
}

int osp_request_via_trusted_hop(const request_rec *r)
{
    return r->useragent_ip != r->connection->client_ip
           && strcmp(r->useragent_ip, r->connection->client_ip) != 0
           && !is_proxy_protocol(r->connection);
}

/* What the hop says of the scheme: 1 https, 0 http, -1 nothing that can be believed. Hops append
 * to a list, so the last element is the one that the trusted hop wrote. */
static int scheme_from_hop(const request_rec *r)
{
    const char *value = apr_table_get(r->headers_in, "X-Forwarded-Proto");
    const char *last;
    apr_size_t n;

    if (!value) {
        return -1;
    }
    last = strrchr(value, ',');
    last = last ? last + 1 : value;
    last += strspn(last, " \t");
    n = strcspn(last, " \t");
    if (n == 5 && strncasecmp(last, "https", n) == 0) {
        return 1;
    }
    return n == 4 && strncasecmp(last, "http", n) == 0 ? 0 : -1;
}

int osp_request_ask_https(const request_rec *r)
{
    int told = osp_request_via_trusted_hop(r) ? scheme_from_hop(r) : -1;

    return told >= 0 ? told : connection_is_tls(r->connection);
}

int osp_request_scheme_is_untold(const request_rec *r)
{
    if (is_proxy_protocol(r->connection)) {
        return scheme_from_hop(r) == 1;
    }
    return osp_request_via_trusted_hop(r) && scheme_from_hop(r) < 0;
}

static int matches_any(const apr_array_header_t *names, const char *host, int wild)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (name && (wild ? ap_strcasecmp_match(host, name) == 0 : strcasecmp(host, name) == 0)) {
            return 1;
        }
    }
    return 0;
}

int osp_request_host_is_own(request_rec *r)
{
    osp_request *rec = osp_request_get(r);
    const server_rec *s = r->server;

    if (!rec->host_known) {
        rec->own_host = r->hostname
                        && (strcasecmp(r->hostname, s->server_hostname) == 0
                            || matches_any(s->names, r->hostname, 0)
                            || matches_any(s->wild_names, r->hostname, 1)
                            || matches_any(osp_server_conf_get(s)->domains, r->hostname, 0));
        rec->host_known = 1;
    }
    return rec->own_host;
}

osp_span osp_request_target(const request_rec *r)
{
    const char *target = r->unparsed_uri ? r->unparsed_uri : "";

    if (*target != '/') {
        const char *authority = strstr(target, "://");

        target = authority ? authority + 3 + strcspn(authority + 3, "/?#") : "";
        target = *target == '/' ? target : "";
    }
    return osp_span_of(target);
}
