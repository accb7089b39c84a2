/*
 * report.c: how rules speak: warnings that do not flood the log, and refusals that explain
 * themselves.
 */
#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_core.h"

#include "osproxy.h"

int osp_report_level(const request_rec *r, enum osp_rule_id rule, unsigned slot)
{
    osp_counters *row = osp_server_conf_get(r->server)->counters;

    return osp_count_due(row, rule, slot, r->request_time) ? APLOG_WARNING : APLOG_DEBUG;
}

int osp_refuse(request_rec *r, enum osp_rule_id rule, int status, const char *text)
{
    osp_request_count(r, rule, OSP_REFUSED);
    if (!ap_response_code_string(r, ap_index_of_response(status))) {
        ap_custom_response(r, status, apr_psprintf(r->pool,
            "<!DOCTYPE html>\n<html><head><title>%s</title></head><body>\n<h1>%s</h1>\n<p>%s</p>\n"
            "<p>mod_osproxy, rule %s</p>\n</body></html>\n",
            ap_get_status_line(status), ap_get_status_line(status), text,
            osp_rule_get(rule)->name));
    }
    return status;
}
