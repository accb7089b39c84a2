/*
 * forwarded_proto.c: rule forwarded-proto: the back end is told the scheme that the client used,
 * and nothing that the client made up.
 *
 * OutSystems believes X-Forwarded-Proto, and Server.API the client address in X-Forwarded-For, so
 * copies from clients must go. mod_remoteip decides whom to trust: with a trusted hop in front, its
 * X-Forwarded-Proto, -Host and -Server stand. X-Forwarded-For never stands: what mod_remoteip left
 * in it is what nobody trusted; mod_proxy writes the client's address, without a port.
 */
#include "apr_hooks.h"
#include "apr_lib.h"
#include "apr_optional_hooks.h"

#include "osproxy.h"
#include "proxy_api.h"

#define NAME "X-Forwarded-Proto"

/* Header names as ASP.NET compares them in server variables, where '_' stands for '-'. */
static int is_name(const char *header, const char *name)
{
    for (; *name; header++, name++) {
        char c = *header == '_' ? '-' : (char)apr_tolower(*header);

        if (c != *name) {
            return 0;
        }
    }
    return *header == '\0';
}

enum verdict { NOT_OURS, KEEP, DROP, KEEP_PROTO };

static enum verdict judge(const char *header, int trusted)
{
    if (is_name(header, "x-forwarded-proto")) {
        return KEEP_PROTO;
    }
    if (is_name(header, "x-forwarded-for")) {
        return DROP;
    }
    if (is_name(header, "x-forwarded-host") || is_name(header, "x-forwarded-server")) {
        return trusted && !strchr(header, '_') ? KEEP : DROP;
    }
    return NOT_OURS;
}

/* Most fields by one byte. */
static inline int may_be_ours(const char *header)
{
    return (header[0] | 0x20) == 'x' && (header[1] == '-' || header[1] == '_');
}

/* Takes out what must not pass; returns how many fields did not say what they should. */
static int sweep(request_rec *r, const char *proto, int change)
{
    const apr_array_header_t *fields = apr_table_elts(r->headers_in);
    int trusted = osp_request_via_trusted_hop(r);
    int i, false_claims = 0, drop = 0;
    apr_table_t *kept;

    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        enum verdict verdict = may_be_ours(field->key) ? judge(field->key, trusted) : NOT_OURS;

        if (verdict == DROP || verdict == KEEP_PROTO) {
            drop++;
            false_claims += verdict == DROP || strcmp(field->val, proto) != 0;
        }
    }
    if (!drop || !change) {
        return false_claims;
    }
    kept = apr_table_make(r->pool, fields->nelts);
    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        enum verdict verdict = may_be_ours(field->key) ? judge(field->key, trusted) : NOT_OURS;

        if (verdict == NOT_OURS || verdict == KEEP) {
            apr_table_addn(kept, field->key, field->val);
        }
    }
    r->headers_in = kept;
    return false_claims;
}

/* Whether mod_proxy builds the request's head itself and runs its fixups over it: for http and ws. */
static int builds_head(const char *url)
{
    char first = url[0] | 0x20, second = url[0] ? url[1] | 0x20 : 0;

    return (first == 'h' && second == 't') || (first == 'w' && second == 's'); /* h2 is another's */
}

int osp_forwarded_proto_route(request_rec *r, osp_request *rec, osp_route *way)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_FORWARDED_PROTO);
    const char *proto;
    int false_claims;

    if (mode == OSP_OFF || rec->prepared) {
        return OK;
    }
    proto = osp_request_is_https(r) ? "https" : "http";
    false_claims = sweep(r, proto, mode == OSP_ENFORCE);
    if (false_claims) {
        int level = mode == OSP_ENFORCE ? APLOG_DEBUG
                                        : osp_report_level(r, OSP_RULE_FORWARDED_PROTO, 0);

        ap_log_rerror(APLOG_MARK, level, 0, r,
                      "OSP0401: [forwarded-proto] %d X-Forwarded fields of %s %s", false_claims,
                      r->useragent_ip, mode == OSP_ENFORCE ? "dropped" : "would be dropped");
    }
    if (mode == OSP_ENFORCE) {
        if (builds_head(way->url)) {
            rec->told_proto = proto;
        }
        else {
            apr_table_addn(r->headers_in, NAME, proto);
        }
        osp_request_count(r, OSP_RULE_FORWARDED_PROTO, OSP_ACTED);
    }
    else {
        osp_request_count(r, OSP_RULE_FORWARDED_PROTO, OSP_REPORTED);
    }
    return OK;
}

/* When mod_proxy has dropped the fields that the client's Connection field names: whoever writes
 * `Connection: X-Forwarded-Proto` shall not leave the back end without it. The table is a copy, made
 * for this back end. */
static int write_proto(request_rec *r)
{
    const char *proto = osp_request_get(r)->told_proto;

    if (proto) {
        apr_table_addn(r->headers_in, NAME, proto);
    }
    return OK;
}

void osp_forwarded_proto_hooks(apr_pool_t *p)
{
    (void)p;
    /* An optional hook: there is no exported function to register it with. */
    APR_OPTIONAL_HOOK(proxy, fixups, write_proto, NULL, NULL, APR_HOOK_MIDDLE);
}
