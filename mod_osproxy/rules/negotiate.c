/*
 * negotiate.c: rule negotiate: "Disable NEGOTIATE protocol for Windows Integrated Authentication":
 * external clients are not offered Negotiate (nor Nego2, Kerberos) by a back end's 401.
 *
 * A step of answer.c, when the headers are complete. Only 401s that a back end gave are touched: a
 * challenge of httpd's own stands in err_headers_out, which is left alone. With ProxyErrorOverride mod_proxy carries only the first challenge line over, so NTLM
 * can be lost: before httpd builds its own error page, all lines are carried over.
 */
#include "apr_strings.h"
#include "apr_hooks.h"
#include "apr_optional_hooks.h"

#include "osproxy.h"
#include "parse/challenge.h"
#include "proxy_api.h"

#define CHALLENGES "WWW-Authenticate"

typedef struct tally {
    unsigned removed, kept;
} tally;

/* The challenge lines of headers, without Negotiate when strip is set, in their order. */
static apr_array_header_t *challenge_lines(apr_pool_t *p, const apr_table_t *headers, int strip,
                                           tally *count)
{
    const apr_array_header_t *fields = apr_table_elts(headers);
    apr_array_header_t *lines = apr_array_make(p, 4, sizeof(const char *));
    int i;

    for (i = 0; i < fields->nelts; i++) {
        const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);
        osp_challenge_removed result = {0, 0, 0};
        osp_span value;
        char *out;

        if (strcasecmp(field->key, CHALLENGES) != 0) {
            continue;
        }
        value = osp_span_of(field->val);
        out = apr_palloc(p, value.n + 1);
        if (strip) {
            result = osp_challenge_remove_negotiate(value, out);
        }
        count->removed += result.removed;
        if (!result.removed) {
            count->kept++;
            APR_ARRAY_PUSH(lines, const char *) = field->val;
        }
        else if (result.length) {
            count->kept += result.kept;
            out[result.length] = '\0';
            APR_ARRAY_PUSH(lines, const char *) = out;
        }
    }
    return lines;
}

static void replace_lines(apr_table_t *headers, const apr_array_header_t *lines)
{
    int i;

    apr_table_unset(headers, CHALLENGES);
    for (i = 0; i < lines->nelts; i++) {
        apr_table_addn(headers, CHALLENGES, APR_ARRAY_IDX(lines, i, const char *));
    }
}

static void tell(request_rec *r, enum osp_mode mode, const tally *count)
{
    osp_request_count(r, OSP_RULE_NEGOTIATE, mode == OSP_ENFORCE ? OSP_ACTED : OSP_REPORTED);
    if (!count->kept) {
        OSP_REPORT(r, OSP_RULE_NEGOTIATE, 0,
                   "OSP0301: [negotiate] the back end offers nothing but Negotiate: external "
                   "clients cannot sign in here; enable NTLM in IIS, or list these clients in "
                   "OSProxyInternal");
    }
    else if (mode == OSP_REPORT) {
        OSP_REPORT(r, OSP_RULE_NEGOTIATE, 1,
                   "OSP0302: [negotiate] an external client is offered Negotiate; it would be "
                   "removed");
    }
}

int osp_negotiate_applies(request_rec *r)
{
    return osp_request_mode(r, OSP_RULE_NEGOTIATE) != OSP_OFF && !osp_client_is_internal(r);
}

void osp_negotiate_answer(request_rec *r)
{
    tally count = {0, 0};
    apr_array_header_t *lines;

    if (!osp_negotiate_applies(r)) {
        return;
    }
    lines = challenge_lines(r->pool, r->headers_out, 1, &count);
    if (count.removed) {
        enum osp_mode mode = osp_request_mode(r, OSP_RULE_NEGOTIATE);

        if (mode == OSP_ENFORCE) {
            replace_lines(r->headers_out, lines);
        }
        tell(r, mode, &count);
    }
}

/* mod_proxy is done with the request. A status of 401 here, rather than OK with r->status 401,
 * means ProxyErrorOverride: httpd is about to build an answer of its own, from err_headers_out. */
static int overridden(int *status, request_rec *r)
{
    enum osp_mode mode = osp_request_mode(r, OSP_RULE_NEGOTIATE);
    tally count = {0, 0};
    apr_array_header_t *lines;

    if (*status != HTTP_UNAUTHORIZED || mode == OSP_OFF || !osp_request_get(r)->proxied) {
        return DECLINED;
    }
    lines = challenge_lines(r->pool, r->headers_out, !osp_client_is_internal(r), &count);
    if (mode == OSP_ENFORCE && (lines->nelts || count.removed)) {
        replace_lines(r->err_headers_out, lines);
    }
    if (count.removed) {
        tell(r, mode, &count);
    }
    return DECLINED;
}

void osp_negotiate_hooks(apr_pool_t *p)
{
    (void)p;
    /* An optional hook: mod_proxy exports no function to register it with. */
    APR_OPTIONAL_HOOK(proxy, request_status, overridden, NULL, NULL, APR_HOOK_MIDDLE);
}
