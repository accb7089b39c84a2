/*
 * answer.c: the moment when a back end's answer begins: its status and headers are complete, and its
 * body has not gone out.
 *
 * An output filter looks once and goes. Who wants to see answers has a step here, as with the choice
 * of a back end in route.c.
 */
#include "util_filter.h"

#include "osproxy.h"

static ap_filter_rec_t *filter_handle;

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    ap_filter_t *next = f->next;

    if (osp_request_get(r)->proxied) {
        if (r->status == HTTP_OK) {
            osp_mail_answer(r); /* may put a filter behind this one */
            next = f->next;
        }
        else if (r->status == HTTP_UNAUTHORIZED) {
            osp_negotiate_answer(r);
        }
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(next, brigade);
}

int osp_answer_route(request_rec *r, osp_request *rec, osp_route *way)
{
    (void)way;
    if (!rec->prepared
        && (osp_server_conf_get(r->server)->site || osp_negotiate_applies(r))) {
        ap_add_output_filter_handle(filter_handle, NULL, r, r->connection);
    }
    return OK;
}

void osp_answer_hooks(apr_pool_t *p)
{
    (void)p;
    filter_handle = ap_register_output_filter("OSPROXY_ANSWER", filter, NULL, AP_FTYPE_CONTENT_SET);
}
